package transport_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func checkUnsafeAnswer(t *testing.T, s subject) error {
	return virtual(t, func(t *testing.T) error {
		script := transporttest.Play(transporttest.Answer(503, "")).Repeat()
		resp, err := s.wrap(script, ms(10)).RoundTrip(newRequest(t, "POST", backend, "order"))
		if err == nil {
			resp.Body.Close()
		}
		if script.Count() != 1 {
			return fmt.Errorf("sent %d times, want once (%v)", script.Count(), err)
		}
		return nil
	})
}

func checkSideEffects(t *testing.T, s subject) error {
	var effects atomic.Int32
	srv := transporttest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if body, _ := io.ReadAll(r.Body); string(body) == "order" {
			effects.Add(1)
		}
	}))
	defer srv.Close()
	srv.LoseNext(transporttest.Reset, 3)
	resp, err := s.wrap(newTransport(t), ms(1)).RoundTrip(newRequest(t, "POST", srv.URL, "order"))
	if err == nil {
		resp.Body.Close()
		return fmt.Errorf("answer %d, want the error", resp.StatusCode)
	}
	if effects.Load() != 1 {
		return fmt.Errorf("%d side effects, want 1", effects.Load())
	}
	return nil
}

func checkRetryAfterDate(t *testing.T, s subject) error {
	return virtual(t, func(t *testing.T) error {
		for _, status := range []int{429, 503} {
			for _, into := range []time.Duration{0, ms(700)} { // a second of which this part is over
				time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second + into)))
				start := time.Now()
				const stamp = "Mon, 02 Jan 2006 15:04:05 GMT"
				busy := transporttest.Answer(status, "").
					Header("Date", start.UTC().Format(stamp)).
					Header("Retry-After", start.Add(2*time.Second).UTC().Format(stamp))
				resp, err := s.wrap(transporttest.Play(busy, transporttest.Answer(200, "")), ms(10)).RoundTrip(newRequest(t, "GET", backend, ""))
				if err != nil {
					return err
				}
				resp.Body.Close()
				if took := time.Since(start); resp.StatusCode != 200 || took != 2*time.Second {
					return fmt.Errorf("%d after %v, want the 200 after 2s", resp.StatusCode, took)
				}
			}
		}
		return nil
	})
}

func checkRetryAfterBeyondTheDeadline(t *testing.T, s subject) error {
	return virtual(t, func(t *testing.T) error {
		for _, hint := range []string{"3600", "2"} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			script := transporttest.Play(transporttest.Answer(429, "slow down").Header("Retry-After", hint)).Repeat()
			start := time.Now()
			resp, err := s.wrap(script, ms(10)).RoundTrip(newRequest(t, "GET", backend, "").WithContext(ctx))
			if err != nil {
				return err
			}
			if body, err := finish(resp); resp.StatusCode != 429 || body != "slow down" || err != nil || time.Since(start) != 0 || script.Count() != 1 {
				return fmt.Errorf("%d %q, %v after %v and %d attempts; want the 429 at once", resp.StatusCode, body, err, time.Since(start), script.Count())
			}
		}
		return nil
	})
}

func checkRequestUntouched(t *testing.T, s subject) error {
	return virtual(t, func(t *testing.T) error {
		body := &closeCounter{Reader: strings.NewReader("x")}
		req := newRequest(t, "PUT", backend, "x")
		req.Body = body
		before, header := *req, req.Header.Clone()
		same := func(r *http.Request) bool {
			return r.Body == before.Body && r.URL == before.URL && r.Context() == before.Context() && len(r.Header) == len(header)
		}
		touched := false
		watch := roundTripFunc(func(r *http.Request) (*http.Response, error) {
			touched = touched || !same(req)
			return transporttest.Answer(503, "").RoundTrip(r)
		})
		resp, err := s.wrap(watch, ms(10)).RoundTrip(req)
		if err == nil {
			resp.Body.Close()
		}
		if touched || !same(req) || body.closed.Load() == 0 {
			return fmt.Errorf("changed during an attempt: %t, afterwards: %t; body closed %d times", touched, !same(req), body.closed.Load())
		}
		return nil
	})
}

func checkExhausted(t *testing.T, s subject) error {
	return virtual(t, func(t *testing.T) error {
		const text = `{"error":{"code":"busy","message":"come back"}}`
		script := transporttest.Play(transporttest.Times(3, transporttest.Answer(503, text).Header("X-Request-Id", "7")))
		resp, err := s.wrap(script, ms(10)).RoundTrip(newRequest(t, "GET", backend, ""))
		if err != nil {
			return err
		}
		if body, err := finish(resp); resp.StatusCode != 503 || resp.Header.Get("X-Request-Id") != "7" || body != text || err != nil {
			return fmt.Errorf("%d %q, %v; want the 503 as it was", resp.StatusCode, body, err)
		}
		return script.Check()
	})
}

func checkUpgrade(t *testing.T, s subject) error {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		rw.Flush()
		line, _ := rw.ReadString('\n')
		rw.WriteString("echo " + line)
		rw.Flush()
	}))
	defer srv.Close()
	req := newRequest(t, "GET", srv.URL, "")
	req.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"echo"}}
	resp, err := s.wrap(newTransport(t), ms(1)).RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	rw, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		return fmt.Errorf("body is a %T", resp.Body)
	}
	io.WriteString(rw, "hello\n")
	if got, err := io.ReadAll(rw); string(got) != "echo hello\n" {
		return fmt.Errorf("read %q, %v", got, err)
	}
	return nil
}

func checkEarlyAnswer(t *testing.T, s subject) error {
	return virtual(t, func(t *testing.T) error {
		upload := transporttest.NewBody(transporttest.Chunk("begin"), transporttest.Stall())
		defer time.AfterFunc(time.Minute, func() { upload.Close() }).Stop() // or a loop that reads it would hang for ever
		req := newRequest(t, "POST", backend, "")
		req.Body, req.ContentLength = upload, -1
		start := time.Now()
		resp, err := s.wrap(transporttest.Play(transporttest.Answer(413, "too large").Early()), ms(10)).RoundTrip(req)
		took := time.Since(start)
		if err != nil {
			return fmt.Errorf("%w after %v", err, took)
		}
		if body, err := finish(resp); body != "too large" || err != nil || took != 0 || upload.Delivered() != 0 {
			return fmt.Errorf("%q, %v after %v and %d bytes of the upload, want the answer at once", body, err, took, upload.Delivered())
		}
		return nil
	})
}

func checkRefused(t *testing.T, s subject) error {
	srv := transporttest.NewServer(transporttest.Answer(200, ""))
	defer srv.Close()
	for _, method := range []string{"GET", "POST"} { // nothing was sent, so that the method does not matter
		var dials atomic.Int32
		tr := newTransport(t)
		nobody := closedPort(t)
		tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if dials.Add(1) < 3 {
				addr = nobody
			}
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		}
		resp, err := s.wrap(tr, ms(1)).RoundTrip(newRequest(t, method, srv.URL, "x"))
		if err != nil {
			return fmt.Errorf("%s after %d dials: %w", method, dials.Load(), err)
		}
		resp.Body.Close()
		if dials.Load() != 3 || resp.StatusCode != 200 {
			return fmt.Errorf("%s: %d after %d dials, want the 200 after 3", method, resp.StatusCode, dials.Load())
		}
	}
	return nil
}

func checkPauseBeyondTheDeadline(t *testing.T, s subject) error {
	return virtual(t, func(t *testing.T) error {
		ctx, cancel := context.WithTimeout(t.Context(), ms(400))
		defer cancel()
		start := time.Now()
		resp, err := s.wrap(transporttest.Play(transporttest.Answer(503, "busy")).Repeat(), 5*time.Second).
			RoundTrip(newRequest(t, "GET", backend, "").WithContext(ctx))
		took := time.Since(start)
		if err != nil {
			return fmt.Errorf("%w after %v", err, took)
		}
		if body, err := finish(resp); resp.StatusCode != 503 || body != "busy" || err != nil || took != 0 {
			return fmt.Errorf("%d %q, %v after %v; want the 503 at once", resp.StatusCode, body, err, took)
		}
		return nil
	})
}

func checkStalledBody(t *testing.T, s subject) error {
	return virtual(t, func(t *testing.T) error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour) // or a loop that drains would hang for ever
		defer cancel()
		stalled := transporttest.Answer(503, "{}").Stream(transporttest.Chunk(`{"error":`), transporttest.Stall())
		script := transporttest.Play(stalled, transporttest.Answer(200, ""))
		start := time.Now()
		resp, err := s.wrap(script, ms(10)).RoundTrip(newRequest(t, "GET", backend, "").WithContext(ctx))
		if err != nil {
			return err
		}
		resp.Body.Close()
		took := time.Since(start)
		synctest.Wait()
		if err := script.Check(); err != nil {
			return err
		}
		if want := classify.Patience + ms(50); took != want { // a look at the body, a try at its rest, meanwhile the pause
			return fmt.Errorf("took %v, want %v", took, want)
		}
		return nil
	})
}

func checkPermanent(t *testing.T, s subject) error {
	plain := transporttest.NewServer(transporttest.Answer(200, ""))
	defer plain.Close()
	secure := httptest.NewUnstartedServer(transporttest.Answer(200, ""))
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	for _, c := range []struct{ name, url, header string }{
		{"an unknown authority", secure.URL, "x"},
		{"a bad scheme", "gopher://127.0.0.1/", "x"},
		{"a bad header", plain.URL, "a\nb"},
	} {
		tr := newTransport(t)
		tr.TLSClientConfig = nil
		base := &watched{RoundTripper: tr}
		req := newRequest(t, "GET", c.url, "")
		req.Header.Set("X", c.header)
		resp, err := s.wrap(base, ms(1)).RoundTrip(req)
		if err == nil {
			resp.Body.Close()
			return errors.New(c.name + " was answered")
		}
		if base.attempts.Load() != 1 {
			return fmt.Errorf("%s: %d attempts, want 1", c.name, base.attempts.Load())
		}
	}
	return nil
}

func checkUploadsDoNotMix(t *testing.T, s subject) error {
	const whole = "0123456789abcdef"
	var first io.ReadCloser
	var got [2]string
	base := roundTripFunc(func(req *http.Request) (*http.Response, error) {
		begin := make([]byte, 4)
		io.ReadFull(req.Body, begin)
		if first == nil { // answered early: the transport goes on sending
			first = req.Body
			got[0] = string(begin)
			return transporttest.Answer(503, "").HTTP(req), nil
		}
		old, _ := io.ReadAll(first)
		first.Close()
		rest, _ := io.ReadAll(req.Body)
		req.Body.Close()
		got[0], got[1] = got[0]+string(old), string(begin)+string(rest)
		return transporttest.Answer(200, "").HTTP(req), nil
	})
	resp, err := s.wrap(base, ms(1)).RoundTrip(newRequest(t, "PUT", backend, whole))
	if err != nil {
		return err
	}
	resp.Body.Close()
	if got != [2]string{whole, whole} {
		return fmt.Errorf("sent %q, want %q twice", got, whole)
	}
	return nil
}
