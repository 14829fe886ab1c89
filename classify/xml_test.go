package classify

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

const slowDown = `<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>`

func TestCodesInXML(t *testing.T) {
	deep := strings.Repeat("<a>", 2000)
	for _, c := range []struct {
		name    string
		body    string
		kind    Kind
		code    string
		message string
	}{
		{"a code and its message", slowDown, ProviderRateLimit, "SlowDown", "Please reduce your request rate."},
		{"a declaration, a comment and white space before it", "\xef\xbb\xbf \n<?xml version=\"1.0\"?>\n<!-- <Error><Code>x</Code></Error> -->\n" + slowDown, ProviderRateLimit, "SlowDown", "Please reduce your request rate."},
		{"attributes and prefixes", `<s:Error xmlns:s="u"><s:Code a="b">SlowDown</s:Code></s:Error>`, ProviderRateLimit, "SlowDown", ""},
		{"white space around it", "<Error>\n  <Code>\n SlowDown\t</Code>\n</Error>", ProviderRateLimit, "SlowDown", ""},
		{"a section of characters", `<Error><Code><![CDATA[SlowDown]]></Code></Error>`, ProviderRateLimit, "SlowDown", ""},
		{"a comment in it", `<Error><Code>Slow<!-- x -->Down</Code></Error>`, ProviderRateLimit, "SlowDown", ""},
		{"a character by its number", `<Error><Code>&#83;lowDown</Code><Message>a &lt; b</Message></Error>`, ProviderRateLimit, "SlowDown", "a < b"},
		{"cut after the code", `<Error><Code>SlowDown</Code><Mess`, ProviderRateLimit, "SlowDown", ""},
		{"broken after the code", `<Error><Code>SlowDown</Code></Wrong></Error>`, ProviderRateLimit, "SlowDown", ""},
		{"an unknown code", `<Error><Code>NoSuchKey</Code></Error>`, ProviderRequest, "NoSuchKey", ""},
		{"the first of several that is known", `<Response><Errors><Error><Code>a</Code></Error><Error><Code>SlowDown</Code></Error></Errors></Response>`, ProviderRateLimit, "SlowDown", ""},
		{"no root", `<Code>SlowDown</Code>`, ProviderRequest, "", ""},
		{"another root", `<Result><Error><Code>SlowDown</Code></Error></Result>`, ProviderRequest, "SlowDown", ""},
		{"a code in another case", `<error><code>SlowDown</code></error>`, ProviderRequest, "", ""},
		{"a code that holds elements", `<Error><Code>SlowDown<a/></Code></Error>`, ProviderRequest, "", ""},
		{"behind the root", `<a></a>` + slowDown, ProviderRequest, "", ""},
		{"an element in the code's place that holds it", `<Error><Detail><Code>SlowDown</Code></Detail></Error>`, ProviderRequest, "", ""},
		{"a code behind an element in it", `<Error><Code><a/>SlowDown</Code></Error>`, ProviderRequest, "", ""},
		{"a code behind an end that is another's", `<Error><a></b><Code>SlowDown</Code></Error>`, ProviderRequest, "", ""},
		{"text before the root", `<!-- x -->text` + slowDown, ProviderRequest, "", ""},
		{"one element too deep", `<a><b><c>` + slowDown + `</c></b></a>`, ProviderRequest, "", ""},
		{"a code beyond what is looked at", "<Error><Message>" + strings.Repeat("x", MaxBody) + "</Message><Code>SlowDown</Code></Error>", ProviderRequest, "", ""},
		{"in an attribute", `<Error Code="SlowDown"/>`, ProviderRequest, "", ""},
		{"cut within the code", `<Error><Code>SlowDown`, ProviderRequest, "", ""},
		{"an end before the beginning", `</a>` + slowDown, ProviderRequest, "", ""},
		{"an entity of its own", `<Error><Code>&x;</Code></Error>`, ProviderRequest, "", ""},
		{"a type declaration", `<!DOCTYPE Error [<!ENTITY x "SlowDown">]><Error><Code>&x;</Code></Error>`, ProviderRequest, "", ""},
		{"a type declaration later on", `<Error><!DOCTYPE Error [<!ENTITY x "SlowDown">]><Code>SlowDown</Code></Error>`, ProviderRequest, "", ""},
		{"a coding that is not UTF-8", `<?xml version="1.0" encoding="utf-16"?>` + slowDown, ProviderRequest, "", ""},
		{"bytes that are no text", "<Error><Code>\xff\xfe</Code></Error>", ProviderRequest, "", ""},
		{"too deep", deep + slowDown, ProviderRequest, "", ""},
		{"behind too many elements", "<Error>" + strings.Repeat("<a/>", 2000) + "<Code>SlowDown</Code></Error>", ProviderRequest, "", ""},
		{"a web page", "<html>" + slowDown + "</html>", ProviderRequest, "", ""},
		{"a code too long", "<Error><Code>" + strings.Repeat("x", 5000) + "</Code></Error>", ProviderRequest, strings.Repeat("x", maxCode), ""},
		{"a code with more than white space behind it, far off", "<Error><Code>SlowDown" + strings.Repeat(" ", maxMessage) + "not quite</Code></Error>", ProviderRequest, "SlowDown" + strings.Repeat(" ", maxCode-len("SlowDown")), ""},
		{"a code with more behind it, and a character across the limit", "<Error><Code>SlowDown" + strings.Repeat(" ", maxMessage-len("SlowDown")-1) + "é</Code></Error>", ProviderRequest, "SlowDown" + strings.Repeat(" ", maxCode-len("SlowDown")), ""},
		{"a message with a character across the limit", "<Error><Message>x" + strings.Repeat("é", 5000) + "</Message></Error>", ProviderRequest, "", "x" + strings.Repeat("é", maxMessage/2-1)},
		{"a code far behind white space", "<Error><Code>" + strings.Repeat(" ", 2*maxMessage) + "SlowDown</Code></Error>", ProviderRateLimit, "SlowDown", ""},
		{"a code in many pieces", "<Error><Code>" + strings.Repeat("<!-- -->", 2000) + "Slow" + strings.Repeat("<!-- -->", 2000) + "Down</Code></Error>", ProviderRateLimit, "SlowDown", ""},
		{"a message too long", "<Error><Message>" + strings.Repeat("é", 5000) + "</Message></Error>", ProviderRequest, "", strings.Repeat("é", maxMessage/2)},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := Provider{}.Classify(Outcome{Status: 400, Body: []byte(c.body)})
			if v.Kind != c.kind || v.Code != c.code || v.Detail.Message != c.message || v.Unprocessed {
				t.Errorf("got %v, code %q, message %q, unprocessed %v, want %v, %q, %q", v.Kind, v.Code, v.Detail.Message, v.Unprocessed, c.kind, c.code, c.message)
			}
			if v := (&Alter{}).Classify(Outcome{Status: 400, Body: []byte(c.body)}); v.Kind != Backend || v.Code != "" {
				t.Errorf("the backend, which writes JSON: got %v, code %q", v.Kind, v.Code)
			}
		})
	}
}

func TestARuleOfOnesOwnReadsXML(t *testing.T) {
	p, err := NewProvider(ProviderConfig{Rules: []Rule{{Name: "busy", Statuses: []int{409}, Members: []string{"fault.detail.code"}, Codes: []string{"BUSY"}, Kind: ProviderUnavailable}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{`<fault><detail><code>BUSY</code></detail></fault>`, `{"fault":{"detail":{"code":"BUSY"}}}`} {
		if v := p.Classify(Outcome{Status: 409, Body: []byte(body)}); v.Kind != ProviderUnavailable || v.Code != "BUSY" {
			t.Errorf("%s: got %v, code %q", body, v.Kind, v.Code)
		}
	}
}

// filled is s, then spaces up to n bytes.
func filled(s string, n int) string { return s + strings.Repeat(" ", n-len(s)) }

func TestDocumentsAreReadAheadAndWebPagesAreNot(t *testing.T) {
	const size = 2 * usual
	tail := "<Code>SlowDown</Code></Error>"
	comment := func(n int) string { return "<!--" + strings.Repeat("x", n-len("<!---->")) + "-->" }
	for _, c := range []struct {
		name  string
		body  string
		whole bool
	}{
		{"a document", "<Error>", true},
		{"a declaration before it", `<?xml version="1.0"?><Error>`, true},
		{"a comment before it that just fits", comment(usual-len("<Error>")) + "<Error>", true},
		{"a comment before it that does not", comment(usual-len("<Error>")+1) + "<Error>", false},
		{"a web page", "<html>", false},
		{"a web page in upper case", "<HTML>", false},
		{"a web page with a type", "<!DOCTYPE html><html>", false},
		{"a web page with a type in lower case", "<!doctype html>", false},
		{"a web page that is a document", `<?xml version="1.0"?><!DOCTYPE html><html xmlns="u">`, false},
		{"a comment before a web page", "<!-- x --><html>", false},
		{"a part of a web page", "<h1 class='x'>", false},
		{"text", "Error", false},
		{"a single bracket", "< Error>", false},
		{"a declaration without an end", "<?xml", false},
		{"a name without an end", "<" + strings.Repeat("x", usual), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := filled(c.body, size) + tail
			want := usual
			if c.whole {
				want = len(body)
			}
			for name, b := range map[string]io.ReadCloser{
				"a buffer": io.NopCloser(bytes.NewBufferString(body)), "bytes": io.NopCloser(bytes.NewReader([]byte(body))), "a string": io.NopCloser(strings.NewReader(body)),
				"a connection": struct{ io.ReadCloser }{io.NopCloser(strings.NewReader(body))},
			} {
				synctest.Test(t, func(t *testing.T) {
					resp := &http.Response{StatusCode: 503, Header: http.Header{}, Body: b, ContentLength: -1}
					if got := peek(resp); string(got) != body[:want] {
						t.Errorf("%s: got %d bytes, want the first %d", name, len(got), want)
					}
					if rest, err := io.ReadAll(resp.Body); string(rest) != body || err != nil {
						t.Errorf("%s: reads afterwards as %d bytes, %v, want %d", name, len(rest), err, len(body))
					}
				})
			}
		})
	}
}

func TestADocumentThatComesInPiecesIsReadToItsCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reads []func([]byte) (int, error)
		for _, piece := range []string{"<", "?xml version='1.0'?", ">\n<!", "-- x --", "><Er", "ror><Code>Slow", "Down</Code></Error>"} {
			reads = append(reads, gives(piece, nil))
		}
		b := newBody(append(reads, gives("", io.EOF))...)
		resp := &http.Response{StatusCode: 503, Header: http.Header{}, Body: b, ContentLength: -1}
		if v := Response(resp, nil); v.Kind != ProviderRateLimit || v.Code != "SlowDown" {
			t.Errorf("got %v, code %q", v.Kind, v.Code)
		}
		resp.Body.Close()
	})
}

// FuzzXML holds that whatever may be a document is found at its beginning already, so that reading ahead does not stop too soon.
func FuzzXML(f *testing.F) {
	for _, body := range hostile {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		body = body[:min(len(body), MaxBody)]
		if start := objectStart(body); isXML(start) {
			for n := range min(len(start), 2*usual) {
				if !promising(start[:n]) {
					t.Errorf("%d bytes of %q: got no promise", n, start)
				}
			}
		}
		before := bytes.Clone(body)
		count := 0
		for path, text := range leaves(body) {
			if count++; len(path) == 0 || len(path) > maxDepth || len(text) > 2*maxMessage {
				t.Errorf("got %q, %d bytes", path, len(text))
			}
		}
		if count > maxElements {
			t.Errorf("got %d elements", count)
		}
		v := Provider{}.Classify(Outcome{Status: 400, Body: body})
		checkVerdict(t, v)
		if !v.Kind.Is(ProviderAPI) || v.Unprocessed {
			t.Errorf("got %v, unprocessed %v", v.Kind, v.Unprocessed)
		}
		if !bytes.Equal(body, before) {
			t.Error("the body was changed")
		}
	})
}
