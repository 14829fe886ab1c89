package classify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"testing"
)

func TestAVerdictRidesOnACopyOfTheRequest(t *testing.T) {
	type key struct{}
	req := httptest.NewRequest(http.MethodPost, "https://a.example/", nil).WithContext(context.WithValue(t.Context(), key{}, "value"))
	snapshot := *req
	resp := &http.Response{StatusCode: 409, Request: req, Body: http.NoBody}
	v := Verdict{Kind: TokenRefreshInProgress, Unprocessed: true, Code: "c"}
	Attach(resp, v)

	if got := Of(resp, nil); got != v {
		t.Errorf("Of: got %+v, want %+v", got, v)
	}
	if !reflect.DeepEqual(*req, snapshot) {
		t.Error("the caller's request changed")
	}
	if got := Of(&http.Response{Request: req}, nil); got.Kind != Unclassified {
		t.Errorf("the caller's request carries %v", got.Kind)
	}
	if resp.Request == req || resp.Request.URL != req.URL {
		t.Error("got no shallow copy of the request")
	}
	if got := resp.Request.Context().Value(key{}); got != "value" {
		t.Errorf("the context's own value: got %v", got)
	}
	Attach(resp, Verdict{Kind: GrantRevoked})
	if got := Of(resp, nil).Kind; got != GrantRevoked {
		t.Errorf("attached again: got %v, want %v", got, GrantRevoked)
	}
	inner := *resp
	if got := Of(&inner, nil).Kind; got != GrantRevoked {
		t.Errorf("a copy of the response: got %v, want %v", got, GrantRevoked)
	}
}

func TestAVerdictDoesNotFollowItsContextToAnotherExchange(t *testing.T) {
	first := answer("GET", "https://a.example/", 503, nil, "")
	Attach(first, Verdict{Kind: ProviderUnavailable})

	next, err := http.NewRequestWithContext(first.Request.Context(), http.MethodGet, "https://a.example/2", nil)
	if err != nil {
		t.Fatal(err)
	}
	second := &http.Response{StatusCode: 200, Request: next, Body: http.NoBody}
	if got := Of(second, nil); got.Kind != Unclassified {
		t.Errorf("got %v, want no opinion", got.Kind)
	}
	if err := CheckResponse(second); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	Attach(second, Verdict{Kind: Success})
	if got := Of(second, nil); got.Kind != Success {
		t.Errorf("its own verdict: got %v, want %v", got.Kind, Success)
	}
}

func TestAVerdictDoesNotStayWithARequestThatIsSentOnceMore(t *testing.T) {
	first := answer("GET", "https://a.example/", 503, nil, "")
	Attach(first, Verdict{Kind: ProviderUnavailable})
	second := &http.Response{StatusCode: 200, Request: first.Request, Body: http.NoBody}
	if got := Of(second, nil); got.Kind != Unclassified {
		t.Errorf("got %v, want no opinion", got.Kind)
	}
}

func TestAVerdictStaysWithAResponseWhoseRequestIsWrapped(t *testing.T) {
	type key struct{}
	resp := answer("GET", "https://a.example/", 503, nil, "")
	Attach(resp, Verdict{Kind: ProviderUnavailable})
	resp.Request = resp.Request.WithContext(context.WithValue(resp.Request.Context(), key{}, 1))
	if got := Of(resp, nil); got.Kind != ProviderUnavailable {
		t.Errorf("got %v, want %v", got.Kind, ProviderUnavailable)
	}
}

func TestOnlyClassifiersThatMayCareAreAskedAboutGoodAnswers(t *testing.T) {
	curious := ClassifierFunc(func(o Outcome) Verdict {
		if o.Status == 200 {
			return Verdict{Kind: ApprovalPending}
		}
		return Verdict{}
	})
	byHost := func(c, otherwise Classifier) Classifier {
		t.Helper()
		by, err := ByHost(map[string]Classifier{"a.example": c}, otherwise)
		if err != nil {
			t.Fatal(err)
		}
		return by
	}
	for _, c := range []struct {
		name string
		c    Classifier
		want Kind
	}{
		{"the default", nil, Unclassified},
		{"the built-in ones", First(NetErrors{}, First(&Alter{}), byHost(&Alter{}, Provider{})), Unclassified},
		{"the user's", curious, ApprovalPending},
		{"the user's in a chain", First(NetErrors{}, First(curious), Provider{}), ApprovalPending},
		{"the user's by host", First(byHost(curious, nil), Provider{}), ApprovalPending},
		{"the user's for other hosts", byHost(Provider{}, curious), Unclassified},
		{"the user's after a host without an opinion", First(byHost(Provider{}, nil), curious), ApprovalPending},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Response(answer("GET", "https://a.example/", 200, nil, ""), c.c).Kind; got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	resp := answer("GET", "https://a.example/", 200, nil, "")
	if got := testing.AllocsPerRun(100, func() { Response(resp, nil) }); got != 0 {
		t.Errorf("a good answer: got %v allocations, want 0", got)
	}
}

func TestResponsesWithoutARequestCanCarryAVerdict(t *testing.T) {
	resp := &http.Response{StatusCode: 500, Body: http.NoBody}
	Attach(resp, Verdict{Kind: BackendInternal})
	if got := Of(resp, nil).Kind; got != BackendInternal {
		t.Errorf("got %v, want %v", got, BackendInternal)
	}
}

func TestOf(t *testing.T) {
	typed := Verdict{Kind: PolicyRateLimit, Code: "rate_limit_exceeded"}.Err(nil)
	for _, c := range []struct {
		name string
		resp *http.Response
		err  error
		want Kind
	}{
		{"nothing", nil, nil, Unclassified},
		{"an answer nobody judged", answer("GET", "http://a/", 500, nil, ""), nil, Unclassified},
		{"an answer without a request", &http.Response{StatusCode: 500}, nil, Unclassified},
		{"a typed error", nil, typed, PolicyRateLimit},
		{"a typed error from http.Client", nil, &url.Error{Op: "Get", Err: typed}, PolicyRateLimit},
		{"a typed error deep down", nil, fmt.Errorf("a: %w", fmt.Errorf("b: %w", typed)), PolicyRateLimit},
		{"a typed error among others", nil, errors.Join(io.EOF, typed), PolicyRateLimit},
		{"a bare transport error", nil, io.EOF, ConnectionLost},
		{"a bare error", nil, errors.New("x"), Network},
		{"an error beside an answer", answer("GET", "http://a/", 500, nil, ""), typed, PolicyRateLimit},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Of(c.resp, c.err).Kind; got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestResponseTellsTheClassifierWhatHappened(t *testing.T) {
	var got Outcome
	spy := ClassifierFunc(func(o Outcome) Verdict { got = o; return Verdict{} })

	resp := answer(http.MethodPut, "https://u:p@a.example:1/x/y?q=1", 404, http.Header{"A": {"b"}}, `{"code":"c"}`)
	req := resp.Request
	if v := Response(resp, spy); v.Kind != Unclassified || resp.Request != req {
		t.Errorf("no opinion: got %v and another request, want neither", v.Kind)
	}
	if got.Method != http.MethodPut || got.Host != "a.example:1" || got.Path != "/x/y" || got.Status != 404 || got.Header.Get("A") != "b" ||
		string(got.Body) != `{"code":"c"}` || got.Time.IsZero() || got.Err != nil {
		t.Errorf("got %+v", got)
	}
	Response(&http.Response{StatusCode: 404}, spy)
	if got.Method != "" || got.Host != "" || got.Status != 404 || got.Body != nil {
		t.Errorf("an answer of nothing but a status: got %+v", got)
	}
	Response(&http.Response{StatusCode: 404, Request: &http.Request{}}, spy)
	if got.Host != "" || got.Status != 404 {
		t.Errorf("a request without a URL: got %+v", got)
	}
}

func TestBodiesOfGoodAnswersAreNotTouched(t *testing.T) {
	for _, status := range []int{0, 100, 101, 200, 204, 206, 301, 304, 399} {
		resp := answer("GET", "https://a.example/", status, nil, `{"code":"grant_revoked"}`)
		body, req := resp.Body, resp.Request
		if v := Response(resp, nil); v.Kind != Unclassified || resp.Body != body || resp.Request != req {
			t.Errorf("%d: got %v, and a changed response", status, v.Kind)
		}
		if err := CheckResponse(resp); err != nil || resp.Body != body {
			t.Errorf("%d: got %v, want nil", status, err)
		}
	}
}

func TestCheckResponse(t *testing.T) {
	judged := answer("GET", "https://a.example/", 404, nil, "")
	Attach(judged, Verdict{Kind: GrantDeleted})
	forgiven := answer("GET", "https://a.example/", 404, nil, "")
	Attach(forgiven, Verdict{Kind: Success})
	for _, c := range []struct {
		name string
		resp *http.Response
		want Kind
	}{
		{"no response", nil, Unclassified},
		{"an attached verdict", judged, GrantDeleted},
		{"an attached success", forgiven, Unclassified},
		{"an answer nobody judged", answer("GET", "https://a.example/", 429, nil, ""), ProviderRateLimit},
		{"an answer with next to nothing", &http.Response{StatusCode: 503}, ProviderUnavailable},
		{"a good answer", answer("GET", "https://a.example/", 200, nil, ""), Unclassified},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := CheckResponse(c.resp)
			if got := Of(nil, err).Kind; got != c.want {
				t.Errorf("got %v (%v), want %v", got, err, c.want)
			}
			if again := CheckResponse(c.resp); (again == nil) != (err == nil) {
				t.Errorf("asked again: got %v, want %v", again, err)
			}
		})
	}
}

func TestNeedsReauthorization(t *testing.T) {
	alter, err := ForAlter(backendHost)
	if err != nil {
		t.Fatal(err)
	}
	challenge := http.Header{"Www-Authenticate": {`Bearer error="insufficient_scope", scope="a b"`}}
	backend := func(status int, body string) *http.Response {
		resp := answer("GET", "https://"+backendHost+"/", status, nil, body)
		Response(resp, alter)
		return resp
	}
	for _, c := range []struct {
		name string
		resp *http.Response
		err  error
		want Reauthorization
		ok   bool
	}{
		{"nothing", nil, nil, Reauthorization{}, false},
		{"success", answer("GET", "https://a.example/", 200, nil, ""), nil, Reauthorization{}, false},
		{"a challenge that nobody judged", answer("GET", "https://a.example/", 403, challenge, ""), nil, Reauthorization{Scopes: []string{"a", "b"}}, true},
		{"a 401 that nobody judged", answer("GET", "https://a.example/", 401, nil, ""), nil, Reauthorization{}, true},
		{"another answer", answer("GET", "https://a.example/", 404, nil, ""), nil, Reauthorization{}, false},
		{"a revoked grant", backend(410, `{"code":"grant_revoked","details":{"grant_id":"g1","provider_id":"p1"}}`), nil, Reauthorization{GrantID: "g1", ProviderID: "p1"}, true},
		{"a pre-flight refusal", backend(403, `{"code":"scope_mismatch","grant_id":"g1"}`), nil, Reauthorization{GrantID: "g1"}, true},
		{"a key's missing scope", backend(403, `{"code":"insufficient_scope","missing":["x"]}`), nil, Reauthorization{}, false},
		{"a typed error", nil, &url.Error{Op: "Get", Err: Verdict{Kind: GrantExpired, Detail: &Detail{GrantID: "g2"}}.Err(nil)}, Reauthorization{GrantID: "g2"}, true},
		{"a typed error without detail", nil, Verdict{Kind: GrantExpired}.Err(nil), Reauthorization{}, true},
		{"a network error", nil, io.EOF, Reauthorization{}, false},
		{"an error beside an answer", answer("GET", "https://a.example/", 401, nil, ""), io.EOF, Reauthorization{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := NeedsReauthorization(c.resp, c.err)
			if ok != c.ok || !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, %v, want %+v, %v", got, ok, c.want, c.ok)
			}
		})
	}
}
