package policy

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// Timeline draws the first n retries of a call under the profile, as [Profile.Schedule] previews them, in plain text:
// a line for each attempt with the pause before it, when it is sent, and that on a scale of time. Attempts take no time in it,
// and the server gives no hints. The example shows one.
//
// An o is the moment without jitter; with jitter it may be any on the line of dashes. A deadline of the caller, counted
// from the first attempt, ends the schedule where [Plan.Next] would: at the first pause that does not end before it. 0 is none.
// The last line says what ends the schedule. Times are rounded. It is for people: the format may change.
func (p Profile) Timeline(n int, deadline time.Duration) string {
	n = max(min(n, maxSchedule), 0)
	pauses := p.Schedule(n + 1)
	end := p.ending(len(pauses), n)
	rows := []moment{{}}
	for i, pause := range pauses[:min(n, len(pauses))] {
		m := rows[i].after(pause, p)
		if deadline > 0 && m.at >= deadline {
			end = fmt.Sprintf("no further attempt: a pause of %s would not end before the deadline, %s (%s)", rounded(pause), deadline, DeadlineTooNear)
			break
		}
		rows = append(rows, m)
	}
	scale := deadline
	if deadline <= 0 {
		scale = rows[len(rows)-1].latest
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	// A Builder takes everything.
	_, _ = fmt.Fprintf(w, "attempt\tpause\tsent at\t%s\n", ruler(scale))
	for i, m := range rows {
		pause := ""
		if i > 0 {
			pause = rounded(pauses[i-1]).String()
		}
		_, _ = fmt.Fprintf(w, "%d\t%s\t%s\t%s\n", i+1, pause, rounded(m.at), m.draw(scale))
	}
	_ = w.Flush()
	b.WriteString(end)
	b.WriteByte('\n')
	return b.String()
}

// timelineWidth is how many characters the scale of a timeline has.
const timelineWidth = 50

func ruler(end time.Duration) string {
	if end <= 0 {
		return "0s"
	}
	right := rounded(end).String()
	return "0s" + strings.Repeat(" ", timelineWidth-len("0s")-len(right)) + right
}

// rounded returns d to the millisecond, and what is longer than a second to the hundredth of one.
func rounded(d time.Duration) time.Duration {
	switch {
	case d < time.Millisecond:
		return d
	case d < time.Second:
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Millisecond)
}

// ending says what ends a schedule of which n retries are shown, if known is how many of n+1 there are.
func (p Profile) ending(known, n int) string {
	switch {
	case p.Retries <= 0:
		return fmt.Sprintf("no retries (%s)", NoProfile)
	case known > n || n == maxSchedule:
		return "and so on"
	case known < p.Retries && p.MaxElapsed > 0:
		return fmt.Sprintf("no further attempt: its pause would end after MaxElapsed, %s (%s)", p.MaxElapsed, OutOfTime)
	}
	return fmt.Sprintf("no further attempt (%s)", Exhausted)
}

// moment is when an attempt is sent, and between which bounds jitter moves that.
type moment struct{ earliest, at, latest time.Duration }

// after returns the moment of the attempt that follows the one at m. None comes later than MaxElapsed allows.
func (m moment) after(pause time.Duration, p Profile) moment {
	low, high := pause, pause
	switch {
	case p.BackOff != nil: // its jitter is its own
	case p.Jitter >= FullJitter:
		low = 0
	case p.Jitter > 0:
		half := scale(pause, float64(p.Jitter))
		low, high = pause-half, add(pause, half)
	}
	m = moment{add(m.earliest, low), add(m.at, pause), add(m.latest, high)}
	if p.MaxElapsed > 0 {
		m.latest = min(m.latest, p.MaxElapsed)
	}
	return m
}

// draw returns the moment as a line of characters, on a scale from 0s to end.
func (m moment) draw(end time.Duration) string {
	column := func(d time.Duration) int {
		if end <= 0 {
			return 0
		}
		return int(min(float64(d)/float64(end), 1) * (timelineWidth - 1))
	}
	from, to := column(m.earliest), column(m.latest)
	line := []byte(strings.Repeat(" ", from) + strings.Repeat("-", to-from+1))
	line[column(m.at)] = 'o'
	return string(line)
}
