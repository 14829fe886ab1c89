package program

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	collect "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// A collector that takes everything is told of all spans and of metrics.
func TestCollectorGetsSpansAndMetrics(t *testing.T) {
	t.Parallel()
	var spans, metrics atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body := readBody(t, req)
		w.Header().Set("Content-Type", "application/x-protobuf")
		switch req.URL.Path {
		case "/prefix/v1/traces":
			var all collect.ExportTraceServiceRequest
			if err := proto.Unmarshal(body, &all); err != nil {
				t.Error(err)
			}
			for _, r := range all.ResourceSpans {
				for _, s := range r.ScopeSpans {
					spans.Add(int32(len(s.Spans)))
				}
			}
		case "/prefix/v1/metrics":
			metrics.Add(1)
		default:
			t.Errorf("sent to %s", req.URL.Path)
		}
		checkNoSecret(t, string(body))
	}))
	defer server.Close()

	p := play(t, stories, "-story", "revoked", "-otlp", server.URL+"/prefix/")

	if p.code != 0 || p.err != "" {
		t.Errorf("exit code %d, want 0\n%s", p.code, p.err)
	}
	if spans.Load() != 3 || metrics.Load() == 0 {
		t.Errorf("%d spans and %d reports of metrics arrived, want 3 and at least one", spans.Load(), metrics.Load())
	}
	if want := "Sent 3 spans to the collector at " + server.URL + "/prefix/.\n"; !strings.Contains(p.out, want) {
		t.Errorf("printed\n%s\nwant %q in it", p.out, want)
	}
}

func readBody(t *testing.T, req *http.Request) []byte {
	from := io.Reader(req.Body)
	if req.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(from)
		if err != nil {
			t.Error(err)
			return nil
		}
		from = unzipped
	}
	body, err := io.ReadAll(from)
	if err != nil {
		t.Error(err)
	}
	return body
}

// Whatever way a collector fails, the program says so, with what it said, and its exit code is 1.
func TestCollectorRefuses(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "300")
	t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=must-not-show")
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"it says no", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "unknown \x1b[31mtenant\r\nplease ask", http.StatusForbidden)
		}, "403 Forbidden (body: unknown [31mtenant please ask)"},
		{"it says more than a terminal bears", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, strings.Repeat("no ", 1000), http.StatusBadRequest)
		}, "...\n"},
		{"it is something else", http.NotFound, "404 page not found"},
		{"it is busy", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "later", http.StatusServiceUnavailable)
		}, "later"},
		{"it leaves some spans out", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-protobuf")
			answer, _ := proto.Marshal(&collect.ExportTraceServiceResponse{
				PartialSuccess: &collect.ExportTracePartialSuccess{RejectedSpans: 2, ErrorMessage: "too many"},
			})
			_, _ = w.Write(answer)
		}, "too many (2 spans rejected)"},
		{"it is silent", func(_ http.ResponseWriter, req *http.Request) {
			_, _ = io.Copy(io.Discard, req.Body) // only then does the server notice that the client has gone
			<-req.Context().Done()
		}, "did not take the spans"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := httptest.NewServer(c.handler)
			defer server.Close()
			begin := time.Now()
			p := play(t, stories, "-story", "success", "-otlp", server.URL)
			if took := time.Since(begin); took > farewell {
				t.Errorf("took %s, want less than %s", took, farewell)
			}
			if p.code != 1 || !strings.Contains(p.err, c.want) {
				t.Errorf("exit code %d, printed\n%s\nwant 1 and %q", p.code, p.err, c.want)
			}
			if !strings.HasPrefix(p.err, "tracing: the collector at "+server.URL+" did not take the spans: ") {
				t.Errorf("printed %q, want to be told who did not take what", p.err)
			}
			if strings.ContainsAny(p.err, "\x1b\r") || strings.Count(p.err, "\n") > 2 || len(p.err) > 1000 {
				t.Errorf("printed %q, want a short line for each signal", p.err)
			}
			if strings.Contains(p.out, "Sent") {
				t.Errorf("printed\n%s\nas if all had been sent", p.out)
			}
		})
	}
}

func TestNobodyListensForTelemetry(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	p := play(t, stories, "-story", "success", "-json", "-otlp", server.URL)
	if p.code != 1 || !strings.Contains(p.err, "connection refused") {
		t.Errorf("exit code %d, printed %q; want 1 and to be told that the connection was refused", p.code, p.err)
	}
}

// Of the two usual ports of a collector one is for gRPC, which the program does not speak.
func TestPortForGRPCIsPointedOut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, url string
		want      bool
	}{
		{"the port for gRPC", "http://127.0.0.1:4317", true},
		{"the port for HTTP", "http://127.0.0.1:4318", false},
	} {
		u, err := collector(c.url)
		if err != nil {
			t.Fatal(err)
		}
		var stderr screen
		d := (&telemetry{stderr: &stderr}).delivers("spans", options{otlp: u})
		if err := d.note(1, io.EOF); !errors.Is(err, io.EOF) {
			t.Errorf("%s: the error became %v", c.name, err)
		}
		if got := strings.Contains(stderr.String(), "that for HTTP is 4318"); got != c.want {
			t.Errorf("%s: printed %q, pointed out: %v, want %v", c.name, stderr.String(), got, c.want)
		}
	}
}

// The environment names the collector of both signals, or of one.
func TestEnvironmentNamesTheCollector(t *testing.T) {
	var paths [2]atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		switch req.URL.Path {
		case "/v1/traces":
			paths[0].Add(1)
		case "/v1/metrics":
			paths[1].Add(1)
		}
	}))
	defer server.Close()
	for _, c := range []struct {
		name, key, path string
		spans, metrics  bool
	}{
		{"it names that of both", "OTEL_EXPORTER_OTLP_ENDPOINT", "", true, true},
		{"it names that of spans", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "/v1/traces", true, false},
		{"it names that of metrics", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "/v1/metrics", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv(c.key, server.URL+c.path)
			paths[0].Store(0)
			paths[1].Store(0)
			p := play(t, stories, "-story", "success")
			if p.code != 0 {
				t.Errorf("exit code %d, want 0\n%s", p.code, p.err)
			}
			if got := [2]bool{paths[0].Load() > 0, paths[1].Load() > 0}; got != [2]bool{c.spans, c.metrics} {
				t.Errorf("spans and metrics were sent: %v, want %v", got, [2]bool{c.spans, c.metrics})
			}
		})
	}
}
