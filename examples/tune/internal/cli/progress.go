package cli

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/steadytrip/steadytrip/transport/simulate"
)

// meter knows how far the simulations of a command are.
type meter struct {
	total int          // simulations, of which done are over
	done  atomic.Int64 //
	last  atomic.Pointer[simulate.Progress]
	once  sync.Once
	quit  chan struct{}
	gone  chan struct{}
}

const parts = 1000 // of a simulation, on the bar

// meter watches the program's runner. On a terminal it shows a bar until it is stopped; the bar has a goroutine of its own, since
// the runner's time is virtual.
func (p Program) meter(what string, total int) *meter {
	m := &meter{total: total, quit: make(chan struct{}), gone: make(chan struct{})}
	p.Runner.Progress = func(now simulate.Progress) { m.last.Store(&now) }
	if terminal(p.Stderr) == 0 {
		close(m.gone)
		return m
	}
	bar := progressbar.NewOptions(total*parts,
		progressbar.OptionSetWriter(p.Stderr), progressbar.OptionSetDescription(what), progressbar.OptionSetWidth(30),
		progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish(), progressbar.OptionEnableColorCodes(p.colourful(p.Stderr)))
	_ = bar.RenderBlank() // nobody is left to tell
	go func() {
		defer close(m.gone)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = bar.Set(m.position()) // as above
			case <-m.quit:
				_ = bar.Clear()
				return
			}
		}
	}()
	return m
}

// next tells that a simulation is over.
func (m *meter) next() {
	m.last.Store(nil)
	m.done.Add(1)
}

// eachRun makes the meter see by itself when a simulation is over: where it starts again.
func (m *meter) eachRun(r *simulate.Runner) {
	r.Progress = func(now simulate.Progress) {
		if last := m.last.Load(); last != nil && (now.Played < last.Played || now.Played == last.Played && now.At < last.At) {
			m.done.Add(1)
		}
		m.last.Store(&now)
	}
}

// stop takes the bar away. It may be called again.
func (m *meter) stop() {
	m.once.Do(func() { close(m.quit) })
	<-m.gone
}

// position is how far it is, in parts.
func (m *meter) position() int {
	part := 0.0
	if now := m.last.Load(); now != nil && now.Duration > 0 && now.Repeat > 0 {
		part = (float64(now.Played) + min(float64(now.At)/float64(now.Duration), 1)) / float64(now.Repeat)
	}
	return min(int((float64(m.done.Load())+min(part, 1))*parts), m.total*parts)
}

// state says how far it came, in words.
func (m *meter) state() string {
	now := m.last.Load()
	if now == nil {
		return fmt.Sprintf("%d of %d simulations were over", m.done.Load(), m.total)
	}
	text := fmt.Sprintf("at %s of %s", now.At.Round(time.Second), now.Duration)
	if now.Repeat > 1 {
		text += fmt.Sprintf(", time %d of %d", now.Played+1, now.Repeat)
	}
	if m.total > 1 {
		text += fmt.Sprintf(", simulation %d of %d", m.done.Load()+1, m.total)
	}
	if now.Calls > 0 {
		text += fmt.Sprintf("; %d calls had ended, %.2f%% of them well", now.Calls, 100*float64(now.Succeeded)/float64(now.Calls))
	}
	return text
}
