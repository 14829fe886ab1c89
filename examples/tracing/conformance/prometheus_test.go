package conformance

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// observe starts a real Prometheus with the configuration that is beside the example, but for the target and the times, and returns
// its URL. It ends with the test.
func observe(t *testing.T, target string) string {
	t.Helper()
	binary := installed(t, "prometheus")
	dir := unpack(t)
	text := read(t, configFile)
	for _, change := range [][2]string{
		{"localhost:9464\"", target + "\""}, {"scrape_interval: 5s", "scrape_interval: 1s"}, {"evaluation_interval: 15s", "evaluation_interval: 1s"},
	} {
		if !strings.Contains(text, change[0]) {
			t.Fatalf("%s has no %q", configFile, change[0])
		}
		text = strings.ReplaceAll(text, change[0], change[1])
	}
	config := filepath.Join(dir, configFile)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	ctx, end := context.WithCancel(t.Context())
	address := freeAddress(t)
	cmd := exec.CommandContext(ctx, binary, "--config.file="+config,
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address, "--enable-feature=exemplar-storage")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = patience
	var printed screen
	cmd.Stdout, cmd.Stderr = &printed, &printed
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		_ = cmd.Wait() // it was interrupted
		close(exited)
	}()
	t.Cleanup(func() {
		end()
		<-exited
		if t.Failed() {
			t.Logf("Prometheus printed:\n%s", printed.String())
		}
	})
	await(t, "Prometheus", func() bool {
		select {
		case <-exited:
			t.Fatal("Prometheus has ended")
		default:
		}
		_, ok := get(t, "http://"+address+"/-/ready")
		return ok
	})
	return "http://" + address
}

// answer is what the API of Prometheus answers to a query.
type answer struct {
	Error string // empty if it could be answered
	Data  struct {
		Result []struct {
			Metric map[string]string
			Value  [2]any // when, and the value as text
		}
	}
}

// ask asks Prometheus for an instant value.
func ask(t *testing.T, prometheus, query string) answer {
	t.Helper()
	body, _ := get(t, prometheus+"/api/v1/query?query="+url.QueryEscape(query))
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		t.Fatalf("%v in %q, the answer to %s", err, body, query)
	}
	return a
}

// largest is the largest value that a query returns; 0 if it returns none.
func (a answer) largest() float64 {
	most := 0.0
	for _, r := range a.Data.Result {
		if text, ok := r.Value[1].(string); ok {
			if v, err := strconv.ParseFloat(text, 64); err == nil {
				most = max(most, v)
			}
		}
	}
	return most
}

// A real Prometheus scrapes what the program serves, answers queries for it, evaluates the rules, and takes every query of the dashboard.
func TestPrometheusScrapesAndAnswers(t *testing.T) {
	t.Parallel()
	installed(t, "prometheus")
	s := serve(t)
	prometheus := observe(t, s.host)
	s.played(t)

	for _, c := range []struct{ name, query string }{
		{"attempts", `http_client_request_duration_seconds_count{job="steadytrip", http_response_status_code="200"}`},
		{"calls", `steadytrip_client_call_duration_seconds_count{steadytrip_outcome="success", steadytrip_action="none"}`},
		{"what the user has to do", `steadytrip_client_call_duration_seconds_count{steadytrip_action="reauthorize"}`},
		{"waits at the gate", `steadytrip_client_wait_duration_seconds_count{steadytrip_wait_type="gate"}`},
		{"refusals", `steadytrip_client_refusals_total{steadytrip_refused_by="breaker"}`},
		{"transitions", `steadytrip_client_breaker_transitions_total{steadytrip_breaker_state="open"}`},
		{"tokens of the budget", `steadytrip_client_budget_tokens`},
		{"the service", `target_info{service_name="steadytrip-tracing"}`},
		{"a rate", `sum(rate(steadytrip_client_call_duration_seconds_count[1m]))`},
		{"a quantile", `histogram_quantile(0.95, sum by (le) (rate(http_client_request_duration_seconds_bucket[1m])))`},
	} {
		await(t, c.name, func() bool { return ask(t, prometheus, c.query).largest() > 0 })
	}
	checkRules(t, prometheus)
	checkExemplars(t, prometheus)
	for _, p := range readDashboard(t).Panels {
		for _, q := range p.Targets {
			await(t, "an answer for the panel "+p.Title, func() bool {
				a := ask(t, prometheus, filled(q.Expr))
				if a.Error != "" {
					t.Fatalf("panel %q: %s: %s", p.Title, q.Expr, a.Error)
				}
				return len(a.Data.Result) > 0
			})
		}
	}
}

// checkRules waits until Prometheus has evaluated every rule.
func checkRules(t *testing.T, prometheus string) {
	t.Helper()
	await(t, "the evaluation of the rules", func() bool {
		body, ok := get(t, prometheus+"/api/v1/rules")
		var all struct {
			Data struct {
				Groups []struct {
					Rules []struct{ Name, Health, LastError string }
				}
			}
		}
		if err := json.Unmarshal(body, &all); !ok || err != nil {
			return false
		}
		count := 0
		for _, g := range all.Data.Groups {
			for _, r := range g.Rules {
				if r.LastError != "" {
					t.Fatalf("rule %s: %s", r.Name, r.LastError)
				}
				if r.Health == "ok" {
					count++
				}
			}
		}
		return count >= 6
	})
}

// checkExemplars waits until Prometheus has one that leads from a slow attempt to its trace.
func checkExemplars(t *testing.T, prometheus string) {
	t.Helper()
	now := time.Now()
	query := url.Values{
		"query": {"http_client_request_duration_seconds_bucket"},
		"start": {now.Add(-time.Hour).Format(time.RFC3339)}, "end": {now.Add(time.Hour).Format(time.RFC3339)},
	}
	await(t, "an exemplar", func() bool {
		body, ok := get(t, prometheus+"/api/v1/query_exemplars?"+query.Encode())
		return ok && strings.Contains(string(body), `"trace_id"`)
	})
}
