package simulate

import "time"

// The time line around the end of the faults. What calls in lockstep do there is over within a second or two, and waves of them are some
// tens of milliseconds long: fifty tell them apart, and are still several round trips. It takes a second to see what went on before.
const (
	interval     = 50 * time.Millisecond
	beforeEnd    = time.Second
	afterEnd     = 2 * time.Second
	allIntervals = int((beforeEnd + afterEnd) / interval)
)

// faultsEnd counts what happened around the end of the faults of each play.
func (r *record) faultsEnd() []Interval {
	rows := make([]Interval, allIntervals)
	for i := range rows {
		rows[i].At = time.Duration(i)*interval - beforeEnd
	}
	ended := false
	for i := range r.plays {
		p := &r.plays[i]
		if !p.outlasts() {
			continue
		}
		ended = true
		for j := range rows {
			if p.to+rows[j].At+interval > 0 {
				rows[j].Played++
			}
		}
		for _, c := range p.calls {
			p.around(c, rows)
		}
	}
	if !ended {
		return []Interval{}
	}
	under := 0
	for i := range rows {
		under += rows[i].InFlight
		rows[i].InFlight = under
	}
	return rows
}

// around adds a call to the rows. What is under way is how that changes from one row to the next.
func (p *play) around(c *call, rows []Interval) {
	var elsewhere Interval
	at := func(t time.Duration) *Interval {
		if t -= p.to - beforeEnd; t < 0 || t >= beforeEnd+afterEnd {
			return &elsewhere
		}
		return &rows[t/interval]
	}
	at(c.begin).Offered++
	end := at(c.end)
	if c.good {
		end.Succeeded++
	} else {
		end.Failed++
	}
	if c.local != nobody {
		end.RefusedLocally++
	}
	for _, t := range c.tries {
		at(t.begin).Sent++
		if t.cause.tooMany() {
			at(t.end).Refused++
		}
		// It is under way at the starts that come after its begin, up to its end.
		from, to := p.firstAfter(t.begin), p.firstAfter(t.end)
		if from < to && from < len(rows) {
			rows[from].InFlight++
			if to < len(rows) {
				rows[to].InFlight--
			}
		}
	}
}

// firstAfter is the number of the first row that starts after t.
func (p *play) firstAfter(t time.Duration) int {
	if t -= p.to - beforeEnd; t >= 0 {
		return int(t/interval) + 1
	}
	return 0
}
