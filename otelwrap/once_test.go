package otelwrap_test

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/steadytrip/steadytrip/otelwrap"
	"github.com/steadytrip/steadytrip/transport"
)

// tracer counts how often its spans are started, ended, and told something after their end. It is no SDK: it does not forgive.
type tracer struct {
	noop.Tracer

	mu                   sync.Mutex
	started, ended, late int
}

type provider struct {
	embedded.TracerProvider
	tracer *tracer
}

func (p provider) Tracer(string, ...trace.TracerOption) trace.Tracer { return p.tracer }

func (c *tracer) Start(ctx context.Context, _ string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.started++
	s := &strict{tracer: c}
	return trace.ContextWithSpan(ctx, s), s
}

type strict struct {
	noop.Span
	tracer *tracer
	over   bool
}

func (s *strict) IsRecording() bool { return !s.over }

func (s *strict) SetAttributes(...attribute.KeyValue) {
	if s.over {
		s.tracer.late++
	}
}

func (s *strict) End(...trace.SpanEndOption) {
	s.tracer.mu.Lock()
	defer s.tracer.mu.Unlock()
	s.tracer.ended++
	s.over = true
}

type base func(*http.Request) (*http.Response, error)

func (f base) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestEachSpanEndsOnce(t *testing.T) {
	for name, answer := range map[string]func() (*http.Response, error){
		"success":  func() (*http.Response, error) { return &http.Response{StatusCode: 200, Body: http.NoBody}, nil },
		"failure":  func() (*http.Response, error) { return &http.Response{StatusCode: 500, Body: http.NoBody}, nil },
		"upgrade":  func() (*http.Response, error) { return &http.Response{StatusCode: 101, Body: http.NoBody}, nil },
		"an error": func() (*http.Response, error) { return nil, errors.New("broken") },
		"nothing":  func() (*http.Response, error) { return nil, nil }, //nolint:nilnil // a breach of contract
		"a panic":  func() (*http.Response, error) { panic("x") },
		"Goexit":   func() (*http.Response, error) { runtime.Goexit(); return nil, errors.New("never") },
	} {
		t.Run(name, func(t *testing.T) {
			c := &tracer{}
			rt, err := otelwrap.New(base(func(*http.Request) (*http.Response, error) { return answer() }), transport.Config{},
				otelwrap.Options{TracerProvider: provider{tracer: c}})
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer func() { _ = recover() }()
				req, err := http.NewRequestWithContext(transport.NoRetry(context.Background()), "GET", "https://api.example", nil)
				if err != nil {
					panic(err)
				}
				_, _ = rt.RoundTrip(req)
			}()
			<-done
			if c.started != 2 || c.ended != 2 || c.late != 0 {
				t.Errorf("%d spans started, %d ended, %d told something later, want 2, 2 and none", c.started, c.ended, c.late)
			}
		})
	}
}
