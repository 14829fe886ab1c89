package statuspage

import (
	"bufio"
	"encoding/json"
	"io"
)

// writeJSON writes row by row, each on a line of its own.
func (h *handler) writeJSON(to io.Writer) error {
	snap := h.snapshot()
	rows := rows{snap.Time, h.options.ShowKeys}
	buffered := bufio.NewWriter(to)
	w := &writer{to: buffered}
	w.text(`{"time":`)
	w.json(moment(snap.Time))
	list(w, "forced", snap.Forced, rows.forced)
	list(w, "breakers", snap.Breakers, rows.breaker)
	list(w, "gates", snap.Gates, rows.gate)
	list(w, "budgets", snap.Budgets, rows.budget)
	w.text("}\n")
	if w.err != nil {
		return w.err
	}
	return buffered.Flush()
}

// list writes a field of the object: a row for each status.
func list[Status, Row any](w *writer, field string, all []Status, row func(Status) Row) {
	w.text(",\n\"" + field + `":[`)
	for i, s := range all {
		if w.err != nil {
			return
		}
		if i > 0 {
			w.text(",")
		}
		w.text("\n")
		w.json(row(s))
	}
	w.text("]")
}

// writer writes until that fails once.
type writer struct {
	to  io.Writer
	err error
}

func (w *writer) text(s string) {
	if w.err == nil {
		_, w.err = io.WriteString(w.to, s)
	}
}

func (w *writer) json(v any) {
	if w.err != nil {
		return
	}
	var text []byte
	if text, w.err = json.Marshal(v); w.err == nil {
		_, w.err = w.to.Write(text)
	}
}
