package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/steadytrip/steadytrip/classify"
	"github.com/steadytrip/steadytrip/otelwrap"
	"github.com/steadytrip/steadytrip/transport"
)

// canary is planted wherever a secret may be.
const canary = "c4n4ry"

func TestNoSecretShows(t *testing.T) {
	answers := map[string]http.RoundTripper{}
	for _, row := range classify.Codes() {
		answers["code "+row.Code] = planted(400, row.Code)
	}
	for _, status := range []int{200, 202, 401, 403, 409, 429, 500, 503} {
		answers[fmt.Sprint("status ", status)] = planted(status, canary)
	}
	answers["error"] = roundTrip(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("dial https://user:" + canary + "@api.example/?sig=" + canary)
	})
	answers["error of the client's"] = roundTrip(func(*http.Request) (*http.Response, error) {
		return nil, &url.Error{Op: "Get", URL: "https://api.example/?sig=" + canary, Err: io.EOF}
	})
	for name, base := range answers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				backend, err := classify.ForAlter("api.example")
				if err != nil {
					t.Fatal(err)
				}
				var logged bytes.Buffer
				l := newLab()
				shared := transport.NewShared(nil, transport.Keys{})
				stop, err := otelwrap.Observe(shared, l.options(otelwrap.Options{}))
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = stop() }()
				rt := l.chain(t, base, transport.Config{
					Classifier: backend, Shared: shared,
					Logger: slog.New(otelwrap.LogHandler(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))),
				}, otelwrap.Options{RedactQuery: []string{"x"}})
				var query []string
				for _, name := range append(otelwrap.RedactedQuery(), "x", "grant_id", "s%69g") {
					query = append(query, name+"="+canary)
				}
				link := "https://" + canary + ":" + canary + "@api.example/v1/grants/grant-" + canary + "/mail?a=1&" + strings.Join(query, "&") +
					"&b=2#access_token=" + canary
				for range 3 {
					ctx := transport.ForGrant(t.Context(), "grant-"+canary)
					req, err := http.NewRequestWithContext(ctx, http.MethodPost, link, strings.NewReader(canary))
					if err != nil {
						t.Fatal(err)
					}
					for _, name := range []string{"Authorization", "Cookie", "X-Api-Key", "Idempotency-Key", "User-Agent", "Proxy-Authorization"} {
						req.Header.Set(name, canary)
					}
					resp, err := rt.RoundTrip(req)
					if err != nil && strings.Contains(err.Error(), canary) && !strings.HasPrefix(name, "error") {
						t.Errorf("the error says %q, want no secret in it", err)
					}
					finish(resp, err)
				}
				for _, s := range l.spans.Ended() {
					if text := fmt.Sprint(tell(s), s.Name(), s.Status(), s.Events(), s.Links()); strings.Contains(text, canary) {
						t.Errorf("a span says %s", text)
					}
				}
				for _, m := range l.metrics(t) {
					if text := fmt.Sprintf("%+v", withoutExemplars(m)); strings.Contains(text, canary) {
						t.Errorf("a metric says %s", text)
					}
				}
				if strings.Contains(logged.String(), canary) {
					t.Errorf("the log says %s", logged.String())
				}
			})
		})
	}
}

// withoutExemplars is a metric's data as it is. Exemplars hold attributes only where a view has taken them from the series.
func withoutExemplars(m metricdata.Metrics) any { return m.Data }

// planted is an answer full of canaries.
func planted(status int, code string) http.RoundTripper {
	header := http.Header{
		"Set-Cookie": {canary}, "Www-Authenticate": {`Bearer realm="` + canary + `", scope="` + canary + `"`}, "X-Request-Id": {canary},
		"Location": {"https://api.example/" + canary}, "Ratelimit": {`"` + canary + `";r=0;t=1`}, "Content-Type": {"application/json"},
	}
	body := fmt.Sprintf(`{"error":%q,"message":%q,"details":{"grant_id":%q,"provider_id":%q,"policy_error":%q,"approval_id":%q,`+
		`"account_identifiers":[%q],"missing":[%q]}}`, code, canary, "grant-"+canary, canary, canary, canary, canary, canary)
	return &replies{all: []reply{{status, body, header}}}
}
