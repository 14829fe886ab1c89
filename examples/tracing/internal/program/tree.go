package program

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// node is a span with those under it.
type node struct {
	span     sdktrace.ReadOnlySpan
	children []*node
}

// forest puts spans under their parents. Those whose parent is not among them are the roots.
func forest(spans []sdktrace.ReadOnlySpan) []*node {
	spans = slices.SortedStableFunc(slices.Values(spans), func(a, b sdktrace.ReadOnlySpan) int {
		return a.StartTime().Compare(b.StartTime())
	})
	nodes := make(map[trace.SpanID]*node, len(spans))
	for _, s := range spans {
		nodes[s.SpanContext().SpanID()] = &node{span: s}
	}
	var roots []*node
	for _, s := range spans {
		n := nodes[s.SpanContext().SpanID()]
		if parent := nodes[s.Parent().SpanID()]; parent != nil && parent != n {
			parent.children = append(parent.children, n)
		} else {
			roots = append(roots, n)
		}
	}
	return roots
}

// row is a line of the tree: a span, or several that are told alike.
type row struct{ nodes []*node }

const (
	alike   = 3  // so many siblings that are told alike are one row
	maxRows = 20 // under one parent; the others are counted
)

// rows sums up siblings. hidden counts those that found no room, with all that is under them.
func rows(siblings []*node) (out []*row, hidden int) {
	count := map[string]int{}
	for _, n := range siblings {
		count[n.story()]++
	}
	known := map[string]*row{}
	for _, n := range siblings {
		key := n.story()
		if r := known[key]; r != nil {
			r.nodes = append(r.nodes, n)
			continue
		}
		if len(out) == maxRows {
			hidden += n.size()
			continue
		}
		r := &row{nodes: []*node{n}}
		out = append(out, r)
		if count[key] >= alike {
			known[key] = r
		}
	}
	return out, hidden
}

func (n *node) size() int {
	size := 1
	for _, c := range n.children {
		size += c.size()
	}
	return size
}

// story is what the tree tells of a span and of those under it, but for times and durations.
func (n *node) story() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s|%d|%d|%s", n.span.Name(), n.span.SpanKind(), n.span.Status().Code, code(n.span))
	for _, d := range details(n.span) {
		if !d.lasts {
			fmt.Fprintf(&out, "|%s=%s", d.name, d.text)
		}
	}
	for _, c := range n.children {
		fmt.Fprintf(&out, "(%s)", c.story())
	}
	return out.String()
}

// under is everything that stands under the spans of a row.
func (r *row) under() []*node {
	if len(r.nodes) == 1 {
		return r.nodes[0].children
	}
	var all []*node
	for _, n := range r.nodes {
		all = append(all, n.children...)
	}
	slices.SortStableFunc(all, func(a, b *node) int { return a.span.StartTime().Compare(b.span.StartTime()) })
	return all
}

// period is the time that the spans of a row take together.
func (r *row) period() (start, end time.Time) {
	start, end = r.nodes[0].span.StartTime(), r.nodes[0].span.EndTime()
	for _, n := range r.nodes[1:] {
		if s := n.span.StartTime(); s.Before(start) {
			start = s
		}
		if e := n.span.EndTime(); e.After(end) {
			end = e
		}
	}
	return start, end
}

// duration is that of the span, or of the longest.
func (r *row) duration() time.Duration {
	var longest time.Duration
	for _, n := range r.nodes {
		longest = max(longest, n.span.EndTime().Sub(n.span.StartTime()))
	}
	return longest
}

func (r *row) span() sdktrace.ReadOnlySpan { return r.nodes[0].span }

func (r *row) failed() bool { return r.span().Status().Code == codes.Error }

// told are the attributes of a span that the tree shows, in its order, and the names it gives them.
var told = []struct{ key, name string }{
	{"http.request.resend_count", "resend_count"},
	{"steadytrip.attempts", "attempts"},
	{"steadytrip.stop_reason", "stop_reason"},
	{"error.type", "error.type"},
	{"steadytrip.kind", "kind"},
	{"steadytrip.action", "action"},
	{"steadytrip.wait.duration", "wait.duration"},
	{"steadytrip.wait.by", "wait.by"},
	{"steadytrip.wait.for", "wait.for"},
	{"steadytrip.refused_by", "refused_by"},
	{"steadytrip.retry_after", "retry_after"},
	{"steadytrip.breaker.name", "breaker.name"},
	{"steadytrip.breaker.state", "breaker.state"},
}

// detail is an attribute as the tree shows it.
type detail struct {
	name, text string
	lasts      bool // it is a time, which differs between spans that are alike otherwise
	seconds    float64
}

func details(s sdktrace.ReadOnlySpan) []detail {
	set := map[attribute.Key]attribute.Value{}
	for _, kv := range s.Attributes() {
		set[kv.Key] = kv.Value
	}
	var out []detail
	for _, t := range told {
		v, ok := set[attribute.Key(t.key)]
		if !ok {
			continue
		}
		d := detail{name: t.name}
		switch v.Type() {
		case attribute.FLOAT64:
			d.lasts, d.seconds = true, v.AsFloat64()
		case attribute.STRINGSLICE:
			d.text = strings.Join(v.AsStringSlice(), ",")
		default:
			d.text = v.String()
		}
		if t.key == "error.type" && (d.text == code(s) || d.text == set["steadytrip.kind"].AsString()) {
			continue // the status or the kind says it
		}
		out = append(out, d)
	}
	return out
}

// details are those of the row's spans. A time is that of the span, or the shortest and the longest.
func (r *row) details() []string {
	all := details(r.span())
	low, high := map[string]float64{}, map[string]float64{}
	for _, n := range r.nodes {
		for _, d := range details(n.span) {
			if d.lasts {
				if before, ok := low[d.name]; !ok || d.seconds < before {
					low[d.name] = d.seconds
				}
				high[d.name] = max(high[d.name], d.seconds)
			}
		}
	}
	out := make([]string, len(all))
	for i, d := range all {
		if d.lasts {
			d.text = seconds(low[d.name])
			if longest := seconds(high[d.name]); longest != d.text {
				d.text += "-" + longest
			}
		}
		out[i] = d.name + "=" + d.text
	}
	return out
}

func seconds(s float64) string { return short(time.Duration(s * float64(time.Second))) }

// code is the status of the answer; empty if there was none.
func code(s sdktrace.ReadOnlySpan) string {
	for _, kv := range s.Attributes() {
		if kv.Key == "http.response.status_code" {
			return strconv.FormatInt(kv.Value.AsInt64(), 10)
		}
	}
	return ""
}

// short prints a duration with three digits or so.
func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}
