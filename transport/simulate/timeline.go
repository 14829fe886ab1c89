package simulate

import "time"

// timeline counts what happened in each second.
func (r *record) timeline() []Second {
	length := 0
	r.each(func(p *play, c *call) { length = max(length, secondOf(c.end)+1) })
	for _, p := range r.plays {
		length = max(length, secondOf(p.end-1)+1)
	}
	rows := make([]Second, length)
	for i := range rows {
		rows[i].At = i
	}
	r.each(func(_ *play, c *call) {
		rows[secondOf(c.begin)].Offered++
		end := &rows[secondOf(c.end)]
		if c.good {
			end.Succeeded++
		} else {
			end.Failed++
		}
		if c.local != nobody {
			end.RefusedLocally++
		}
		for _, t := range c.tries {
			rows[secondOf(t.begin)].Sent++
			if t.cause.tooMany() {
				rows[secondOf(t.end)].Refused++
			}
			for i := secondOf(t.begin) + 1; i < length && time.Duration(i)*second <= t.end; i++ {
				rows[i].InFlight++
			}
		}
	})
	for _, p := range r.plays {
		for i, s := range p.samples {
			if i >= length {
				break
			}
			row := &rows[i]
			row.Open += s.open
			row.HalfOpen += s.halfOpen
			row.Held += s.held
			row.Waiting += s.waiting
			row.Tokens += s.tokens
		}
	}
	return rows
}

func secondOf(t time.Duration) int { return int(t / second) }
