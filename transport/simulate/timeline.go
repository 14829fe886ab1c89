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
			// What changes from one second to the next; the sums come below.
			if from, to := secondOf(t.begin)+1, secondOf(t.end)+1; from < to {
				rows[from].InFlight++
				if to < length {
					rows[to].InFlight--
				}
			}
		}
	})
	under := 0
	for i := range rows {
		under += rows[i].InFlight
		rows[i].InFlight = under
	}
	for i, s := range r.samples[:min(len(r.samples), length)] {
		row := &rows[i]
		row.Open, row.HalfOpen, row.Held, row.Waiting, row.Tokens = s.open, s.halfOpen, s.held, s.waiting, s.tokens
	}
	return rows
}

func secondOf(t time.Duration) int { return int(t / second) }
