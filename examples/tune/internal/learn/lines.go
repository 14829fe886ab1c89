package learn

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// MaxLine is how many bytes a line may have. Longer ones are skipped unread, and counted.
const MaxLine = 1 << 20

// Read reads a log, a JSON object in each line, and returns what it tells. What it holds in memory does not grow with the log.
// If ctx ends, or the reader fails, it returns what the log has told so far, and the error.
func Read(ctx context.Context, r io.Reader) (*Log, error) {
	l := newLog()
	defer l.finish()
	in := bufio.NewReaderSize(r, 1<<16)
	var long []byte // a line that is longer than the reader's buffer
	for {
		if l.Lines%256 == 0 && ctx.Err() != nil {
			return l, context.Cause(ctx)
		}
		part, err := in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			if len(long) <= MaxLine {
				long = append(long, part...)
			}
			continue
		}
		line := part
		if len(long) > 0 {
			if len(long) <= MaxLine {
				long = append(long, part...)
			}
			line = long
		}
		if len(line) > 0 {
			l.line(line)
		}
		long = long[:0]
		switch {
		case errors.Is(err, io.EOF):
			return l, nil
		case err != nil:
			return l, err
		}
	}
}

// line reads one line.
func (l *Log) line(line []byte) {
	l.Lines++
	if len(line) > MaxLine {
		l.TooLong++
		return
	}
	if line = bytes.TrimSpace(line); len(line) == 0 {
		l.Foreign++
		return
	}
	var r record
	if err := json.Unmarshal(line, &r); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) || errors.Is(err, errDuration) {
			l.Foreign++ // an object of somebody else, with fields of the same names
		} else {
			l.NotJSON++
		}
		return
	}
	known := l.record(&r)
	if bytes.Contains(line, []byte(`"Records"`)) {
		for _, t := range trailsIn(line) {
			l.trail(t, r.Time)
			known = true
		}
	}
	if !known {
		l.Foreign++
	}
}

// record is a line that transport.LogHooks wrote by way of slog.JSONHandler. A message has some of the fields.
type record struct {
	Time     time.Time `json:"time"`
	Msg      string    `json:"msg"`
	Method   string    `json:"method"`
	Host     string    `json:"host"`
	Attempt  int       `json:"attempt"`
	Attempts int       `json:"attempts"`
	Kind     string    `json:"kind"`
	Reason   string    `json:"reason"`
	Duration duration  `json:"duration"`
	Pause    duration  `json:"pause"`
	Waited   duration  `json:"waited"`
	Sent     bool      `json:"sent"`
}

// duration is nanoseconds, as slog.JSONHandler writes them, or a text such as "1.5s", as others do.
type duration time.Duration

var errDuration = errors.New("no duration")

// UnmarshalJSON reads either of them.
func (d *duration) UnmarshalJSON(data []byte) error {
	var ns int64
	if json.Unmarshal(data, &ns) == nil {
		*d = duration(ns)
		return nil
	}
	var text string
	if json.Unmarshal(data, &text) == nil {
		if parsed, err := time.ParseDuration(text); err == nil {
			*d = duration(parsed)
			return nil
		}
	}
	return fmt.Errorf("%w: %.40s", errDuration, data)
}

// trail is a transport.Trail, as package json writes it.
type trail struct {
	Attempts int
	Records  []struct {
		Status   int
		Verdict  struct{ Kind string }
		Duration time.Duration
		Pause    time.Duration
	}
	Waited time.Duration
}

// trailsIn returns the trails of a line: the object itself, or members of it.
func trailsIn(line []byte) []trail {
	if t, ok := trailOf(line); ok {
		return []trail{t}
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(line, &members) != nil {
		return nil
	}
	var all []trail
	for _, m := range members {
		if t, ok := trailOf(m); ok {
			all = append(all, t)
		}
	}
	return all
}

func trailOf(data []byte) (trail, bool) {
	var t trail
	err := json.Unmarshal(data, &t)
	return t, err == nil && len(t.Records) > 0 && t.Attempts >= len(t.Records)
}
