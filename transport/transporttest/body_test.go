package transporttest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func TestBodyDeliversItsPieces(t *testing.T) {
	own := errors.New("own")
	for name, c := range map[string]struct {
		body *transporttest.Body
		text string
		err  error // of the Read that ends it
		last int   // what that Read returned
	}{
		"the zero body is empty":         {&transporttest.Body{}, "", io.EOF, 0},
		"chunks":                         {transporttest.NewBody(transporttest.Chunk("ab"), transporttest.Chunk("c")), "abc", io.EOF, 0},
		"an empty chunk is no end":       {transporttest.NewBody(transporttest.Chunk(""), transporttest.Chunk("c")), "c", io.EOF, 0},
		"bytes and io.EOF in one Read":   {transporttest.NewBody(transporttest.Chunk("a"), transporttest.Final("bc"), transporttest.Chunk("no")), "abc", io.EOF, 2},
		"an error after the bytes":       {transporttest.NewBody(transporttest.Chunk("ab"), transporttest.Break(own)), "ab", own, 0},
		"no error is io.EOF":             {transporttest.NewBody(transporttest.Chunk("ab"), transporttest.Break(nil), transporttest.Chunk("no")), "ab", io.EOF, 0},
		"FailClose is not delivered":     {transporttest.NewBody(transporttest.FailClose(own), transporttest.Chunk("ab")), "ab", io.EOF, 0},
		"a chunk longer than the buffer": {transporttest.NewBody(transporttest.Final("abcdefghij")), "abcdefghij", io.EOF, 2},
	} {
		t.Run(name, func(t *testing.T) {
			var got []byte
			buf := make([]byte, 4)
			for {
				n, err := c.body.Read(buf)
				got = append(got, buf[:n]...)
				if err != nil {
					if !is(err, c.err) || n != c.last {
						t.Errorf("ended with %d, %v, want %d, %v", n, err, c.last, c.err)
					}
					break
				}
			}
			if string(got) != c.text || c.body.Delivered() != int64(len(c.text)) {
				t.Errorf("got %q, counted %d, want %q", got, c.body.Delivered(), c.text)
			}
			if c.body.SawEOF() != (is(c.err, io.EOF)) {
				t.Errorf("SawEOF is %v", c.body.SawEOF())
			}
			if _, err := c.body.Read(buf); !is(err, c.err) {
				t.Errorf("read again: got %v, want %v", err, c.err)
			}
		})
	}
}

func TestBodyIsAReader(t *testing.T) {
	for _, last := range []transporttest.Piece{transporttest.Chunk(" world"), transporttest.Final(" world")} {
		if err := iotest.TestReader(transporttest.NewBody(transporttest.Chunk("hello"), last), []byte("hello world")); err != nil {
			t.Error(err)
		}
	}
}

func TestBodyRemembersClosing(t *testing.T) {
	own := errors.New("own")
	b := transporttest.NewBody(transporttest.Chunk("abc"), transporttest.FailClose(own))
	select {
	case <-b.Done():
		t.Fatal("done before it was closed")
	default:
	}
	for range 2 {
		if err := b.Close(); !is(err, own) {
			t.Errorf("got %v, want %v", err, own)
		}
	}
	<-b.Done()
	if n, err := b.Read(make([]byte, 1)); n != 0 || !is(err, http.ErrBodyReadAfterClose) {
		t.Errorf("got %d, %v", n, err)
	}
	if !b.Closed() || b.Closes() != 2 || b.ReadsAfterClose() != 1 || b.Reads() != 1 || b.SawEOF() {
		t.Errorf("closed %v, %d times; read %d times, %d of them late", b.Closed(), b.Closes(), b.Reads(), b.ReadsAfterClose())
	}
}

func TestBodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := make(chan struct{})
		b := transporttest.NewBody(
			transporttest.Pause(time.Second), transporttest.Chunk("a"), transporttest.Until(open), transporttest.Chunk("b"))
		began := time.Now()
		time.AfterFunc(time.Minute, func() { close(open) })
		text, err := io.ReadAll(b)
		if string(text) != "ab" || err != nil || time.Since(began) != time.Minute {
			t.Errorf("got %q, %v after %v", text, err, time.Since(began))
		}
	})
}

func TestCloseEndsAWaitingRead(t *testing.T) {
	for name, piece := range map[string]transporttest.Piece{
		"Stall": transporttest.Stall(), "Pause": transporttest.Pause(time.Hour), "Until": transporttest.Until(nil),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := transporttest.NewBody(piece, transporttest.Chunk("never"))
				time.AfterFunc(time.Second, func() { b.Close() })
				n, err := b.Read(make([]byte, 8))
				if n != 0 || !is(err, http.ErrBodyReadAfterClose) || b.ReadsAfterClose() != 0 {
					t.Errorf("got %d, %v, %d late reads", n, err, b.ReadsAfterClose())
				}
			})
		})
	}
}

func TestDeafReadsCannotBeInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := make(chan struct{})
		b := transporttest.NewBody(transporttest.Deaf(open), transporttest.Chunk("late"))
		began := time.Now()
		time.AfterFunc(time.Second, func() { b.Close() })
		time.AfterFunc(time.Minute, func() { close(open) })
		if _, err := b.Read(make([]byte, 8)); !is(err, http.ErrBodyReadAfterClose) || time.Since(began) != time.Minute {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}

func TestEndlessBodies(t *testing.T) {
	b := transporttest.NewBody(transporttest.Chunk("{"), transporttest.Endless("abc"))
	got, err := io.ReadAll(io.LimitReader(b, 8))
	if string(got) != "{abcabca" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if n, err := io.CopyN(io.Discard, b, 1<<20); n != 1<<20 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestBodyRemembersOverlappingReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := transporttest.NewBody(transporttest.Stall())
		read := func() { b.Read(make([]byte, 1)) }
		go read()
		synctest.Wait()
		if b.Overlapped() {
			t.Error("one Read overlaps")
		}
		go read()
		synctest.Wait()
		if !b.Overlapped() {
			t.Error("two Reads do not overlap")
		}
		b.Close()
	})
}

func TestResponseBodiesEndWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		s := transporttest.Play(transporttest.Answer(200, "").Stream(
			transporttest.Chunk("a"), transporttest.Stall()), transporttest.Answer(200, "whole"))
		resp, err := s.RoundTrip(request(t, "GET", url, "").WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		whole, err := s.RoundTrip(request(t, "GET", url, "").WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, func() { cancel(cause) })
		if text, err := io.ReadAll(resp.Body); string(text) != "a" || !is(err, cause) {
			t.Errorf("stalled: got %q, %v", text, err)
		}
		if text, err := io.ReadAll(whole.Body); string(text) != "" || !is(err, cause) {
			t.Errorf("unread: got %q, %v", text, err)
		}
	})
}
