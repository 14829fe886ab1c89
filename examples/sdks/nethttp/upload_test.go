package nethttp

import (
	"context"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/transport"
)

const (
	size   = 64 << 20
	socket = 64 << 10 // of each of the two socket buffers
	// ahead is how much of a body may be read before the server has it: what fits into the sockets, which the kernel doubles,
	// and into the buffers of net/http.
	ahead = 2 << 20
)

// pattern is what a body repeats. Its length is odd, so that a piece that is missing or comes twice shows.
var pattern = func() []byte {
	p := make([]byte, 100_003)
	for i := range p {
		p[i] = byte(i >> 8)
	}
	return p
}()

// generator is a body that is made while it is read.
type generator struct {
	made    atomic.Int64
	taken   *atomic.Int64 // by the server
	overrun func()        // called when made is too far ahead
}

func (g *generator) Read(p []byte) (int, error) {
	at := g.made.Load()
	if at == size {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), size-at)], pattern[at%int64(len(pattern)):])
	if g.made.Add(int64(n)) > g.taken.Load()+ahead {
		g.overrun()
	}
	return n, nil
}

func (g *generator) Close() error { return nil }

// TestUploadIsNotBuffered: the chain reads a body no faster than the server takes it, also if it could be sent again.
func TestUploadIsNotBuffered(t *testing.T) {
	plain := crc32.NewIEEE()
	if _, err := io.Copy(plain, &generator{taken: full(), overrun: func() {}}); err != nil {
		t.Fatal(err)
	}
	want := plain.Sum32()
	for _, c := range []struct {
		name     string
		getBody  bool
		refuse   bool // the first attempt is answered 503 before its body is read
		cfg      transport.Config
		attempts int
	}{
		{"a body that is read once", false, false, transport.Config{}, 1},
		{"a body that can be read again", true, false, transport.Config{}, 1},
		{"and is", true, true, transport.Config{}, 2},
		{"a body that outgrows its buffer", false, false, transport.Config{PerCall: []transport.Middleware{transport.Buffer(1 << 20)}}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var taken atomic.Int64
			overrun := make(chan struct{})
			var once sync.Once
			var attempts atomic.Int64
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if attempts.Add(1) == 1 && c.refuse {
					w.Header().Set("Connection", "close")
					rig.JSON(503, `{}`)(w, r)
					return
				}
				sum, buf := crc32.NewIEEE(), make([]byte, 64<<10)
				for {
					n, err := r.Body.Read(buf)
					sum.Write(buf[:n])
					before := taken.Add(int64(n)) - int64(n)
					if before>>24 != (before+int64(n))>>24 {
						// Every 16 MiB the server takes a break, in which a reader that runs ahead would show.
						select {
						case <-overrun:
						case <-time.After(50 * time.Millisecond):
						}
					}
					if err == io.EOF {
						break
					}
					if err != nil {
						t.Errorf("after %d bytes: %v", taken.Load(), err)
						return
					}
				}
				if taken.Load() != size || sum.Sum32() != want {
					t.Errorf("the server got %d bytes, sum %x, want %d, sum %x", taken.Load(), sum.Sum32(), size, want)
				}
			}))
			server.Config.ConnState = func(conn net.Conn, s http.ConnState) {
				if tcp, ok := conn.(*net.TCPConn); ok && s == http.StateNew {
					_ = tcp.SetReadBuffer(socket)
				}
			}
			server.Start()
			defer server.Close()
			base := &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
				if tcp, ok := conn.(*net.TCPConn); ok {
					_ = tcp.SetWriteBuffer(socket)
				}
				return conn, err
			}}
			defer base.CloseIdleConnections()
			c.cfg.Policy = rig.Policy()
			hc, err := transport.Wrap(&http.Client{Transport: base}, c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			body := func() *generator {
				return &generator{taken: &taken, overrun: func() { once.Do(func() { close(overrun) }) }}
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL, body())
			if err != nil {
				t.Fatal(err)
			}
			if c.getBody {
				req.ContentLength = size
				req.GetBody = func() (io.ReadCloser, error) { return body(), nil }
			}
			resp, err := hc.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != 200 || attempts.Load() != int64(c.attempts) {
				t.Errorf("got %s after %d attempts, want a 200 after %d", resp.Status, attempts.Load(), c.attempts)
			}
			select {
			case <-overrun:
				t.Errorf("more than %d bytes were read that the server had not taken", ahead)
			default:
			}
		})
	}
}

// full is a server that has taken everything.
func full() *atomic.Int64 {
	var all atomic.Int64
	all.Store(size)
	return &all
}
