package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/fatih/color"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/examples/altersdk/internal/alter"
	"github.com/steadytrip/steadytrip/examples/altersdk/internal/loopback"
	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport"
)

// key is the application's. Its name may be printed, and nothing else of it.
var key = alter.Key{Name: "demo-2026", ID: "ak_3f9c61d0", Secret: "sk_b81e4a77c2"}

// stage is where a story is played.
type stage struct {
	ctx     context.Context //nolint:containedctx // it lives as long as the story
	backend *loopback.Backend
	client  *alter.Client
	loop    *alter.Loop
	printer *printer
	err     error // what the last call ended with
}

// play plays a story with a backend and a client of its own. It reports whether the story ended as told, or would have
// had everybody agreed. The error says why no further story can be played.
func play(ctx context.Context, s story, ask asker, p *printer, look func(*loopback.Backend)) (ended bool, err error) {
	backend := loopback.New()
	backend.Accept(key)
	defer func() {
		if look != nil {
			look(backend)
		}
		if closed := backend.Close(); closed != nil {
			p.event("FAILED", "the backend does not end well")
			ended = false
		}
	}()
	client, err := alter.New(alter.Config{
		URL:       backend.URL,
		Providers: map[string]string{"calendar": backend.Provider.URL},
		Key:       key,
		Base:      &http.Transport{},
		Hooks:     transport.Hooks{Attempt: p.attempt},
		Deprecated: func(_ context.Context, name string) {
			p.event("key", "%s is deprecated: mint a replacement and deploy it", name)
		},
		Every: 100 * time.Millisecond, // Alter's SDKs ask every two seconds; nobody wants to wait for a demonstration
	})
	if err != nil {
		return false, err
	}
	defer client.Close()

	p.title(s.name, s.title)
	who := &person{ask: ask, printer: p}
	st := &stage{ctx: ctx, backend: backend, client: client, printer: p}
	st.loop = &alter.Loop{Client: client, User: who, Tell: func(text string) { p.event("to do", "%s", text) }}
	s.play(st)
	for _, fatal := range []error{errUnanswered, errInterrupted, errWrongAnswer, errUnreadable, context.Canceled} {
		if errors.Is(st.err, fatal) {
			return false, st.err
		}
	}
	got := classify.Of(nil, st.err).Kind
	if st.err == nil {
		got = classify.Unclassified
	}
	if got != s.want && !who.declined {
		p.event("FAILED", "told: %s; got: %s", kindName(s.want), kindName(got))
		return false, nil
	}
	p.line("")
	return true, nil
}

// call makes a call and prints what came of it.
func (s *stage) call(how string, call alter.Call) {
	if call.Method == "" {
		call.Method = http.MethodGet
	}
	send := s.client.Proxy
	if how == "retrieve" {
		send = s.client.Retrieve
	}
	s.printer.event("call", "%s %s%s by %s", call.Method, call.Provider, call.Path, how)
	var answer *alter.Answer
	if answer, s.err = s.loop.Do(s.ctx, send, call); s.err != nil {
		var failure *classify.AlterSDKError
		if errors.As(s.err, &failure) {
			s.printer.failure("%s (%s)", failure.Verdict().Kind, failure.Verdict().Action())
		}
		return
	}
	s.printer.success("%d %s", answer.Status, http.StatusText(answer.Status))
}

// person is the user at the terminal, who plays whoever a page is shown to.
type person struct {
	ask      asker
	printer  *printer
	declined bool // something, so that a story may end otherwise than told
}

// Open shows a page, and lets the user answer here instead: then the page's form is sent as a browser would send it.
func (p *person) Open(ctx context.Context, what, page string) error {
	p.printer.event("open", "%s", page)
	pick, err := p.ask.ask(ctx, "Will they "+plain(what)+"?", []string{"yes", "no", "answered in the browser"})
	if err != nil {
		return err
	}
	decision := "yes"
	switch pick {
	case 1:
		decision, p.declined = "no", true
	case 2:
		p.declined = true // who knows
		p.printer.event("wait", "for the page")
		return nil
	}
	form := strings.NewReader(url.Values{"decision": {decision}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, page, form)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	browser := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := browser.Do(req)
	if err != nil {
		return errors.New("the page does not answer")
	}
	resp.Body.Close()
	return nil
}

// Choose asks the user.
func (p *person) Choose(ctx context.Context, question string, options ...string) (int, error) {
	shown := make([]string, len(options))
	for i, option := range options {
		shown[i] = plain(option)
	}
	pick, err := p.ask.ask(ctx, plain(question), shown)
	p.declined = p.declined || pick != 0
	return pick, err
}

// printer writes what happens, for people.
type printer struct {
	out                    io.Writer
	bold, faint, good, bad *color.Color
}

func newPrinter(out io.Writer, paint bool) *printer {
	p := &printer{out, color.New(color.Bold), color.New(color.Faint), color.New(color.FgGreen), color.New(color.FgRed)}
	for _, c := range []*color.Color{p.bold, p.faint, p.good, p.bad} {
		c.DisableColor()
		if paint {
			c.EnableColor()
		}
	}
	return p
}

func (p *printer) line(text string) { fmt.Fprintln(p.out, text) }

func (p *printer) title(name, title string) {
	fmt.Fprintf(p.out, "%s: %s\n", p.bold.Sprint(name), title)
}

func (p *printer) event(what, format string, args ...any) {
	fmt.Fprintf(p.out, "  %-8s %s\n", what, plain(fmt.Sprintf(format, args...)))
}

func (p *printer) success(format string, args ...any) {
	fmt.Fprintf(p.out, "  %-8s %s\n", "answer", p.good.Sprintf(format, args...))
}

func (p *printer) failure(format string, args ...any) {
	fmt.Fprintf(p.out, "  %-8s %s\n", "failed", p.bad.Sprintf(format, args...))
}

// plain is a text that others have written, without what would steer a terminal or begin another line.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// attempt is told of each attempt, and mentions those that failed or had to be repeated. It prints no path: paths have ids in them.
func (p *printer) attempt(_ context.Context, i transport.AttemptInfo) {
	if i.Decision.Reason == policy.Succeeded && i.Attempt == 1 {
		return
	}
	status, text := "-", kindName(i.Verdict.Kind)
	if i.Status != 0 {
		status = fmt.Sprint(i.Status)
	}
	if i.Decision.Reason == policy.Retrying {
		text += fmt.Sprintf("; again in %s", i.Decision.Pause.Round(time.Millisecond))
	}
	p.line(p.faint.Sprintf("    try %-2d %3s %s", i.Attempt, status, text))
}

func kindName(k classify.Kind) string {
	if !k.Failure() {
		return "success"
	}
	return k.String()
}
