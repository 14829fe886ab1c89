package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/policy"
	"github.com/steadytrip/steadytrip/transport/simulate"
)

// result is a small one, made by hand.
func result() simulate.Result {
	r := simulate.Result{
		Duration: 4 * time.Second, Played: 1, Calls: 40, Succeeded: 30, Success: 0.75, Attempts: 50, Amplification: 1.25,
		Answers: simulate.Answers{Served: 30, Failed: 20}, Kinds: map[string]int{"network": 10}, Reasons: map[string]int{"exhausted": 10},
		Faults: []simulate.Window{{Name: "stop", From: time.Second, To: 2 * time.Second}},
	}
	for i := range 4 {
		r.Timeline = append(r.Timeline, simulate.Second{At: i, Offered: 10, Sent: 12, Succeeded: 7 + i/2, Failed: 2})
	}
	r.Latency = simulate.Quantiles{Count: 30, P50: 20 * time.Millisecond, P99: time.Second, P999: time.Second, Max: time.Second}
	for i := range 21 {
		r.Latency.Curve = append(r.Latency.Curve, time.Duration(i+1)*time.Second/21)
	}
	return r
}

func small() simulate.Scenario {
	return simulate.Scenario{
		Name: "small", About: "a small one", Duration: 4 * time.Second,
		Traffic: []simulate.Traffic{{Kind: simulate.Open, Rate: 10, Deadline: 5 * time.Second}},
		Faults:  []simulate.Fault{{Kind: simulate.Stop, At: time.Second, For: time.Second}},
	}
}

func TestAReportHasTheSectionsThatItHasDataFor(t *testing.T) {
	one := Run{Name: "first", Set: policy.Default(), Result: result()}
	two := Run{Name: "second", Set: policy.Set{MaxAttempts: 1}, Result: result()}
	two.Result.Attempts, two.Result.Success = 90, 0.5
	tokens := result()
	tokens.Timeline[2].Tokens, tokens.Timeline[2].Open, tokens.Timeline[2].RefusedLocally = 3, 1, 1
	extra := result()
	extra.Extra = extra.Latency
	trial := simulate.Trial{Candidate: simulate.Candidate{Name: "here", Set: policy.Default()}, Result: result(), Missed: errors.New("simulate: want p99 <= 1ms, got 1s")}
	search := Report{
		Scenario: small(), Trials: []simulate.Trial{trial}, Front: []simulate.Trial{trial}, Current: "here", Axes: [2]string{"attempts", "success"},
	}
	all := []string{
		`<h2>Gates`, `<h2>Over time`, `id="chart-load0"`, `id="chart-load1"`, `id="chart-end"`, `id="chart-breakers"`, `id="chart-local"`, `id="chart-budget"`,
		`<h2>Latency`, `id="chart-extra"`, `id="chart-schedule0"`, `id="chart-schedule1"`, `<h2>Metrics`, `▼ worse`, `<h2>Attempts and failures`,
		`<h2>Search`, `id="chart-search"`, `<h2>Files`, `aria-label="Scenario"`, `aria-label="Verdict"`, `<script`, `not on the front`,
	}
	for _, c := range []struct {
		name string
		Report
		want []string
	}{
		{"nothing but a title", Report{Title: "empty"}, nil},
		{"a scenario", Report{Scenario: small()}, []string{`<h2>Files`, `aria-label="Scenario"`}},
		{"a run", Report{Scenario: small(), Runs: []Run{one}}, []string{
			`<h2>Over time`, `id="chart-load0"`, `<h2>Latency`, `id="chart-schedule0"`, `<h2>Metrics`,
			`<h2>Attempts and failures`, `<h2>Files`, `aria-label="Scenario"`, `<script`,
		}},
		{"a policy alone", Report{Runs: []Run{{Name: "first", Set: policy.Default()}}}, []string{`id="chart-schedule0"`, `<h2>Files`, `<script`}},
		{"a run with breakers and a budget", Report{Runs: []Run{{Name: "first", Set: policy.Set{MaxAttempts: 1}, Result: tokens}}}, []string{
			`<h2>Over time`, `id="chart-load0"`, `id="chart-breakers"`, `id="chart-local"`, `id="chart-budget"`, `<h2>Latency`, `<h2>Metrics`,
			`<h2>Attempts and failures`, `<h2>Files`, `<script`,
		}},
		{"a run with extra latency", Report{Runs: []Run{{Name: "first", Set: policy.Set{MaxAttempts: 1}, Result: extra}}}, []string{
			`<h2>Over time`, `id="chart-load0"`, `<h2>Latency`, `id="chart-extra"`, `<h2>Metrics`, `<h2>Attempts and failures`, `<h2>Files`, `<script`,
		}},
		{"two runs, of which one retries, and a gate", Report{Scenario: small(), Runs: []Run{one, two}, Gates: gates(t, "success >= 60%")}, []string{
			`<h2>Gates`, `<h2>Over time`, `id="chart-load0"`, `id="chart-load1"`, `id="chart-end"`, `<h2>Latency`, `id="chart-schedule0"`, `<h2>Metrics`, `▼ worse`,
			`<h2>Attempts and failures`, `<h2>Files`, `aria-label="Scenario"`, `aria-label="Verdict"`, `<script`,
		}},
		{"missed gates alone", Report{Missed: []string{"want more"}}, []string{`aria-label="Verdict"`}},
		{"a search", search, []string{`<h2>Search`, `id="chart-search"`, `<h2>Files`, `aria-label="Scenario"`, `<script`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			page := write(t, c.Report)
			for _, part := range all {
				want := strings.Contains("\n"+strings.Join(c.want, "\n")+"\n", "\n"+part+"\n")
				if got := strings.Contains(page, part); got != want {
					t.Errorf("%s: got %v, want %v", part, got, want)
				}
			}
		})
	}
}

func TestAReportSaysWhatIsInIt(t *testing.T) {
	first, second := Run{Name: "first", Set: policy.Default(), Result: result()}, Run{Name: "second", Set: policy.Default(), Result: result()}
	second.Result.Success = 0.5
	page := write(t, Report{
		Scenario: small(), Runs: []Run{first, second}, Gates: gates(t, "success >= 60%\np99 <= 5s"), Missed: []string{"second: want success >= 60%, got 50%"},
	})
	text := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page, " ")
	text = strings.Join(strings.Fields(text), " ")
	for _, want := range []string{
		"small a small one", "GET, 10 calls a second, at random moments, deadline 5s", "stop: nothing is served, requests wait, from 1s to 2s",
		"1 of 2 gates missed second: want success &gt;= 60%, got 50%",
		"success &gt;= 60% 75.00% met 50.00% missed", "p99 &lt;= 5s 1s met 1s met",
		"success 75.00% 50.00% ▼ worse calls that succeed", "failed by a fault 20 20", "network 10 10", "exhausted 10 10",
		"name: small", "max_attempts: 64",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestRunsAreToldApart(t *testing.T) {
	given := []Run{{Result: result()}, {Result: result()}, {Name: "mine"}}
	got := named(given)
	if got[0].Name != "policy" || got[1].Name != "policy (2)" || got[2].Name != "mine" || given[1].Name != "" {
		t.Errorf("got %q, %q and %q, want policy, policy (2) and mine", got[0].Name, got[1].Name, got[2].Name)
	}
}

func TestAReportIsTheSameEveryTime(t *testing.T) {
	r := Report{Scenario: small(), Runs: []Run{{Name: "first", Set: policy.Default(), Result: result()}}}
	first, second := write(t, r), write(t, r)
	if first != second {
		t.Error("two pages of one report differ")
	}
}

// markup is a report with an end of a script wherever a text comes from outside.
func markup() Report {
	const evil = `</script><script>alert(1)</script><img src="x" onerror="alert(2)">`
	s := small()
	s.Name, s.About, s.Traffic[0].Name, s.Faults[0].Name = evil, evil, evil, evil
	res := result()
	res.Faults[0].Name, res.Kinds, res.Reasons = evil, map[string]int{evil: 1}, map[string]int{evil: 1}
	trial := simulate.Trial{Candidate: simulate.Candidate{Name: evil, Set: policy.Default()}, Result: res, Missed: errors.New(evil)}
	return Report{
		Title: evil, Scenario: s, Runs: []Run{{Name: evil, Set: policy.Default(), Result: res}, {Name: evil + "2", Set: policy.Default(), Result: res}},
		Comparison: &simulate.Comparison{Names: [2]string{evil, evil}, Rows: []simulate.Row{{Metric: evil, Why: [2]string{evil, evil}}}},
		Trials:     []simulate.Trial{trial}, Front: []simulate.Trial{trial}, Current: evil, Axes: [2]string{"attempts", "success"},
		Gates: []simulate.Gate{{Metric: evil, Op: ">=", Value: 1}}, Missed: []string{evil},
	}
}

func TestMarkupStaysAText(t *testing.T) {
	page := write(t, markup())
	page = strings.Replace(strings.Replace(page, library, "", 1), drawing, "", 1)
	for _, mark := range []string{"<script>alert", "<img", `onerror="`} {
		if strings.Contains(page, mark) {
			t.Errorf("the page has %s", mark)
		}
	}
	if got := strings.Count(page, "<script"); got != 3 {
		t.Errorf("got %d scripts, want 3", got)
	}
	if got := strings.Count(page, "</script"); got != 3 {
		t.Errorf("got %d ends of scripts, want 3", got)
	}
	if strings.Contains(page, "ZgotmplZ") {
		t.Error("the template refuses a value")
	}
}

func TestAPageLoadsNothing(t *testing.T) {
	s := small()
	s.About = "see https://example.com" // a text, no reference
	page := write(t, Report{Title: "x", Scenario: s, Runs: []Run{{Name: "first", Set: policy.Default(), Result: result()}}})
	for _, kind := range []string{`(?i)\s(src|href|srcset|action|data|poster)\s*=\s*["']?([^"'\s>]*)`, `(?i)(url)\(\s*["']?([^"')]*)`, `(?i)(@import)\s*(\S*)`} {
		for _, m := range regexp.MustCompile(kind).FindAllStringSubmatch(strings.ReplaceAll(page, library, ""), -1) {
			if !strings.HasPrefix(m[2], "data:") && !strings.HasPrefix(m[2], "#") {
				t.Errorf("the page refers to %q by %s", m[2], m[1])
			}
		}
	}
	for _, script := range []string{library, drawing} {
		if strings.Contains(strings.ToLower(script), "</script") || strings.Contains(script, "<!--") || strings.Contains(script, "\r") {
			t.Error("a script cannot stand in a page as it is")
		}
		sum := sha256.Sum256([]byte(script))
		hash := "&#39;sha256-" + strings.ReplaceAll(base64.StdEncoding.EncodeToString(sum[:]), "+", "&#43;") + "&#39;"
		if !strings.Contains(page, hash) || !strings.Contains(page, "<script>"+script+"</script>") {
			t.Error("the policy of the page does not allow its own script")
		}
	}
	if !strings.Contains(page, `content="default-src &#39;none&#39;; `) {
		t.Error("the policy of the page allows to load something")
	}
}

// TestTheLibraryIsTheOneOfItsRegistry holds the file against dist/echarts.common.min.js of the npm package echarts 6.1.0.
func TestTheLibraryIsTheOneOfItsRegistry(t *testing.T) {
	const want = "61f13280aba3161f77fc801bf5f9c786f55f10432153a0683fc5cc0700b013d5"
	if got := fmt.Sprintf("%x", sha256.Sum256([]byte(library))); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAnAxisHasToBeAMetric(t *testing.T) {
	trial := simulate.Trial{Candidate: simulate.Candidate{Name: "a", Set: policy.Default()}, Result: result()}
	for _, axes := range [][2]string{{}, {"attempts", "beauty"}, {"beauty", "attempts"}} {
		var b bytes.Buffer
		err := Write(&b, Report{Trials: []simulate.Trial{trial}, Axes: axes})
		if err == nil || !strings.HasSuffix(err.Error(), "is no metric") || b.Len() > 0 {
			t.Errorf("%q: got %v and %d bytes", axes, err, b.Len())
		}
	}
}

func TestAWriterMayFail(t *testing.T) {
	full := errors.New("the disk is full")
	if err := Write(failing{full}, Report{}); !errors.Is(err, full) {
		t.Errorf("got %v, want %v", err, full)
	}
}

type failing struct{ error }

func (f failing) Write([]byte) (int, error) { return 0, f.error }
