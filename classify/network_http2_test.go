package classify

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Frame types and flags of RFC 9113, section 6, as far as the tests need them.
const (
	frameData, frameHeaders, frameReset, frameSettings, frameGoAway = 0, 1, 3, 4, 7
	flagEndHeaders                                                  = 4
)

func writeFrame(w io.Writer, kind, flags byte, stream uint32, payload []byte) {
	head := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(head[5:], stream)
	w.Write(append(head, payload...))
}

// queued writes in a goroutine, so that a peer that writes before it reads cannot block it.
type queued chan []byte

func (q queued) Write(b []byte) (int, error) {
	q <- append([]byte(nil), b...)
	return len(b), nil
}

// unencryptedHTTP2 serves HTTP/2 by hand: after the first headers of each stream it calls answer.
// The connection ends when answer returns false.
func unencryptedHTTP2(conn net.Conn, answer func(w io.Writer, stream uint32) bool) {
	r := bufio.NewReader(conn)
	if _, err := io.ReadFull(r, make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
		return
	}
	w := make(queued, 100)
	written := make(chan struct{})
	go func() {
		defer close(written)
		for b := range w {
			conn.Write(b)
		}
	}()
	defer func() {
		close(w)
		<-written
		// To close with bytes unread would reset the connection.
		if tcp, ok := conn.(*net.TCPConn); ok {
			tcp.CloseWrite()
			io.Copy(io.Discard, r)
		}
	}()
	writeFrame(w, frameSettings, 0, 0, nil)
	for {
		head := make([]byte, 9)
		if _, err := io.ReadFull(r, head); err != nil {
			return
		}
		length := int64(head[0])<<16 | int64(head[1])<<8 | int64(head[2])
		if _, err := io.CopyN(io.Discard, r, length); err != nil {
			return
		}
		if head[3] == frameHeaders && !answer(w, binary.BigEndian.Uint32(head[5:])&^(1<<31)) {
			return
		}
	}
}

func uint32s(values ...uint32) []byte {
	var b []byte
	for _, v := range values {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

func reset(code uint32) func(io.Writer, uint32) bool {
	return func(w io.Writer, stream uint32) bool {
		writeFrame(w, frameReset, 0, stream, uint32s(code))
		return true
	}
}

func TestHTTP2Errors(t *testing.T) {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)

	for _, c := range []struct {
		netCase
		answer func(io.Writer, uint32) bool
	}{
		{netCase{name: "stream reset: internal error", want: Verdict{Kind: ConnectionLost, Code: "http2_stream_reset"}}, reset(2)},
		{netCase{name: "stream reset: cancel", want: Verdict{Kind: ConnectionLost, Code: "http2_stream_reset"}}, reset(8)},
		{netCase{name: "stream reset: enhance your calm", want: Verdict{Kind: ConnectionLost, Code: "http2_stream_reset"}}, reset(11)},
		{netCase{name: "stream reset: HTTP/1.1 required", want: Verdict{Kind: Protocol, Code: "http2_protocol_error"}}, reset(http2HTTP11Required)},
		{netCase{name: "stream reset: frame size", want: Verdict{Kind: Protocol, Code: "http2_protocol_error"}}, reset(http2FrameSizeError)},
		{netCase{name: "a refused stream whose request cannot be replayed has no type", want: Verdict{Kind: Network, Basis: Guessed}}, reset(http2RefusedStream)},
		{netCase{name: "GOAWAY with an error, then closed", want: Verdict{Kind: ConnectionLost, Code: "http2_goaway"}},
			func(w io.Writer, stream uint32) bool {
				writeFrame(w, frameGoAway, 0, 0, append(uint32s(stream, 2), "debug"...))
				return false
			}},
		{netCase{name: "closed without a word", want: Verdict{Kind: ConnectionLost, Code: "connection_closed"}},
			func(io.Writer, uint32) bool { return false }},
		{netCase{name: "a frame that breaks the connection", want: Verdict{Kind: Protocol, Code: "http2_connection_error"}},
			func(w io.Writer, _ uint32) bool {
				writeFrame(w, frameData, 0, 0, []byte("data on stream 0"))
				return true
			}},
		{netCase{name: "a header that never comes", want: Verdict{Kind: Timeout, Code: "response_header_timeout"}, isTimeout: true},
			func(io.Writer, uint32) bool { return true }},
		{netCase{name: "canceled", cancel: 20 * time.Millisecond, want: Verdict{Kind: Canceled, Code: "canceled"}},
			func(io.Writer, uint32) bool { return true }},
		{netCase{name: "canceled with a cause", cancel: 20 * time.Millisecond, cause: errors.New("cause"), want: Verdict{Kind: Canceled, Code: "canceled"}},
			func(io.Writer, uint32) bool { return true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tr := &http.Transport{Protocols: protocols}
			defer tr.CloseIdleConnections()
			if c.isTimeout {
				tr.ResponseHeaderTimeout = 20 * time.Millisecond
			}
			target := "http://" + listen(t, func(conn net.Conn) { unencryptedHTTP2(conn, c.answer) })
			t.Run("from RoundTrip", func(t *testing.T) { c.check(t, target, tr.RoundTrip, c.want.Code) })
			t.Run("from http.Client", func(t *testing.T) { c.check(t, target, (&http.Client{Transport: tr}).Do, c.want.Code) })
		})
	}
}

// net/http repeats refused streams with growing pauses of its own before it reports them, hence the virtual time.
func TestRefusedStreamsAreUnprocessed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		protocols := new(http.Protocols)
		protocols.SetUnencryptedHTTP2(true)
		tr := &http.Transport{Protocols: protocols, DialContext: func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			go func() {
				defer there.Close()
				unencryptedHTTP2(there, reset(http2RefusedStream))
			}()
			return here, nil
		}}
		defer tr.CloseIdleConnections()
		want := Verdict{Kind: ConnectionLost, Unprocessed: true, Code: "http2_refused_stream"}
		netCase{noBody: true, method: http.MethodGet, want: want}.check(t, "http://h.example", tr.RoundTrip, want.Code)
	})
}

func TestHTTP2ErrorsOfABodyAreTold(t *testing.T) {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	tr := &http.Transport{Protocols: protocols}
	defer tr.CloseIdleConnections()
	target := "http://" + listen(t, func(conn net.Conn) {
		unencryptedHTTP2(conn, func(w io.Writer, stream uint32) bool {
			writeFrame(w, frameHeaders, flagEndHeaders, stream, []byte{0x88}) // :status 200
			writeFrame(w, frameData, 0, stream, []byte("begin"))
			writeFrame(w, frameReset, 0, stream, uint32s(2))
			return true
		})
	})
	resp, err := (&http.Client{Transport: tr}).Get(target)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, err = io.ReadAll(resp.Body)
	if v := Of(nil, err); v.Kind != ConnectionLost || v.Code != "http2_stream_reset" {
		t.Errorf("got %v, %q for %v, want %v", v.Kind, v.Code, err, ConnectionLost)
	}
}

func TestEveryUnexportedTypeIsProvenByARealError(t *testing.T) {
	proven := map[string]bool{}
	for _, c := range netCases() {
		proven[c.want.Code] = true
	}
	for _, code := range []string{"http2_goaway", "http2_connection_error"} { // TestHTTP2Errors
		proven[code] = true
	}
	for name, v := range netHTTPTypes {
		if !proven[v.Code] {
			t.Errorf("no test makes net/http return a %s", name)
		}
		if strings.Contains(v.Code, " ") || v.Kind == Unclassified {
			t.Errorf("%s: got %v, %q", name, v.Kind, v.Code)
		}
	}
}
