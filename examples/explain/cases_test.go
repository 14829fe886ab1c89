package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"strings"
)

// cases are inputs as people paste them. The golden file of each has its name with dashes.
var cases = []struct {
	name string
	args []string
	text string
}{
	{
		"revoked grant of the backend",
		[]string{"-host", "https://api.alter.example/v1/proxy", "-alter", "api.alter.example", "-method", "post"},
		crlf(`HTTP/2 410
content-type: application/json
date: Fri, 06 Mar 2026 09:41:07 GMT
content-length: 98

{"error":"grant_revoked","message":"ada@example.com revoked it","details":{"grant_id":"3f1c9a52"}}`),
	},
	{
		"revoked grant with details",
		[]string{"-alter-backend", "-details"},
		crlf(`HTTP/2 410
content-type: application/json

{"error":"grant_revoked","message":"ada@example.com revoked it","details":{"grant_id":"3f1c9a52"}}`),
	},
	{
		"the same body from a provider is not believed",
		[]string{"-host", "api.example.com", "-alter", "api.alter.example,eu.alter.example"},
		crlf(`HTTP/2 410
content-type: application/json

{"error":"grant_revoked","message":"Gone","details":{"grant_id":"3f1c9a52"}}`),
	},
	{
		"token refresh after a redirect and an interim answer",
		[]string{"-alter-backend", "-method", "POST"},
		crlf(`HTTP/1.1 307 Temporary Redirect
Location: https://eu.alter.example/v1/grants/g1/send
Content-Length: 0

HTTP/1.1 100 Continue

HTTP/1.1 409 Conflict
Content-Type: application/json
Content-Length: 82

{"error":"token_refresh_in_progress","message":"Busy","details":{"grant_id":"g1"}}`),
	},
	{
		"policy rate limit with a long hint through a tunnel",
		[]string{"-alter-backend"},
		crlf(`HTTP/1.1 200 Connection established
Proxy-Agent: squid

HTTP/2 429
retry-after: 30
content-type: application/json

{"error":"policy_violation","details":{"policy_error":"rate_limit_exceeded"}}`),
	},
	{
		"policy rate limit with a short hint in JSON",
		[]string{"-alter-backend", "-json", "-details"},
		crlf(`HTTP/2 429
retry-after: 2
content-type: application/json

{"error":"rate_limit_exceeded","message":"slow down","details":{"policy_error":"rate_limit_exceeded"}}`),
	},
	{
		"scope challenge of a provider",
		[]string{"-host", "www.googleapis.com", "-details"},
		crlf(`HTTP/2 403
www-authenticate: Bearer realm="https://accounts.google.com/", error="insufficient_scope", scope="https://www.googleapis.com/auth/calendar.events"
content-type: application/json; charset=UTF-8

{"error":{"code":403,"message":"Request had insufficient authentication scopes.","status":"PERMISSION_DENIED"}}`),
	},
	{
		"unavailable provider with a page of HTML",
		nil,
		crlf(`HTTP/1.1 503 Service Unavailable
Server: nginx
Date: Fri, 06 Mar 2026 09:41:07 GMT
Retry-After: Fri, 06 Mar 2026 09:41:12 GMT
Content-Type: text/html

<html><head><title>503</title></head>
<body>HTTP/1.1 service</body></html>
`),
	},
	{
		"unavailable provider after a POST",
		[]string{"-method", "POST"},
		"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
	},
	{
		"unavailable provider after a POST with an idempotency key",
		[]string{"-method", "POST", "-idempotent"},
		"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
	},
	{
		"provider rate limit without Retry-After",
		nil,
		crlf(`HTTP/2 429
ratelimit: "burst";r=0;t=2
ratelimit-policy: "burst";q=100;w=60
retry-after: soon

`),
	},
	{
		"ambiguous grant counts what it does not print",
		[]string{"-alter-backend"},
		crlf(`HTTP/1.1 409 Conflict
Content-Type: application/json

{"code":"ambiguous_grant","message":"Two accounts match","details":{"provider_id":"google","account_identifiers":["ada@example.com","ada@example.org"],"account_was_provided":false}}`),
	},
	{
		"curl -v names host path and method",
		[]string{"-alter", "api.alter.example"},
		strings.ReplaceAll(`  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current
                                 Dload  Upload   Total   Spent    Left  Speed
@  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0*   Trying 192.0.2.7:443...
* Connected to api.alter.example (192.0.2.7) port 443 (#0)
* using HTTP/2
> POST /v1/agents?verbose=1 HTTP/2@
> Host: api.alter.example@
> user-agent: curl/7.88.1@
> idempotency-key: 5d1f@
> @
} [12 bytes data]
* We are completely uploaded and fine
< HTTP/2 502 @
< content-type: application/json@
* Added cookie route="a" for domain api.alter.example
< x-alter-key-deprecated: true@
< @
{ [46 bytes data]
@100    58  100    46    0     0  94472      0 --:--:-- --:--:-- --:--:-- 94000
* Connection #0 to host api.alter.example left intact
{"error":"bad_gateway","message":"no upstream"}`, "@", "\r"),
	},
	{
		"curl -v on a terminal prints the remark behind the body",
		[]string{"-alter-backend"},
		`* Connected to api.alter.example (192.0.2.7) port 443 (#0)
> GET /v1/agents/me HTTP/1.1
> Host: api.alter.example
>
< HTTP/1.1 401 Unauthorized
< Content-Type: application/json
< Content-Length: 23
<
{"error":"key_revoked"}* Connection #0 to host api.alter.example left intact
`,
	},
	{
		"curl -iv prints the answer twice",
		[]string{"-alter-backend"},
		`> GET /v1/agents/me HTTP/1.1
>
< HTTP/1.1 401 Unauthorized
HTTP/1.1 401 Unauthorized
< Content-Type: application/json
Content-Type: application/json
<

{"error":"key_revoked"}
* Connection #0 to host api.alter.example left intact
`,
	},
	{
		"indented with a prompt before it and line feeds only",
		[]string{"-alter-backend"},
		`    $ curl -si https://api.alter.example/v1/grants/g1
    HTTP/1.1 404 Not Found
    Content-Type: application/json
    Content-Length: 34

    {
      "error": "grant_not_found"
    }
`,
	},
	{
		"joined chunks under a Transfer-Encoding",
		[]string{"-alter-backend"},
		crlf(`HTTP/1.1 403 Forbidden
Transfer-Encoding: chunked
Content-Type: application/json

{"error":"outside_business_hours"}`),
	},
	{
		"raw chunks",
		[]string{"-alter-backend"},
		crlf(`HTTP/1.1 403 Forbidden
Transfer-Encoding: chunked
Content-Type: application/json

16
{"error":"outside_busi
c
ness_hours"}
0

`),
	},
	{
		"raw gzip",
		[]string{"-alter-backend"},
		crlf("HTTP/1.1 410 Gone\nContent-Encoding: gzip\n\n") + zipped(`{"error":"grant_expired"}`),
	},
	{
		"gzip that curl has decoded",
		[]string{"-alter-backend"},
		crlf("HTTP/1.1 410 Gone\nContent-Encoding: gzip\nContent-Length: 49\n\n") + `{"error":"grant_expired"}`,
	},
	{
		"brotli that curl has not decoded",
		[]string{"-alter-backend"},
		crlf("HTTP/1.1 403 Forbidden\nContent-Encoding: br\n\n") + "\x0b\x02\x80{}\x00\xff\x03",
	},
	{
		"cut body",
		[]string{"-alter-backend"},
		crlf("HTTP/1.1 410 Gone\nContent-Length: 340\n\n") + `{"error":"grant_expired","message":"It is`,
	},
	{
		"answer to HEAD",
		[]string{"-method", "HEAD", "-alter-backend"},
		crlf("HTTP/1.1 401 Unauthorized\nContent-Type: application/json\nContent-Length: 23\n\n"),
	},
	{
		"proxy-mode envelope around an error",
		[]string{"-alter-backend", "-details"},
		crlf("HTTP/2 200\ncontent-type: application/json\n\n") +
			`{"approval_id":"ap-1","status_code":403,"headers":{"WWW-Authenticate":"Bearer error=\"insufficient_scope\", scope=\"files.read\""},"body_b64":"` +
			base64.StdEncoding.EncodeToString([]byte(`{"error":"forbidden"}`)) + `","body_truncated":false}`,
	},
	{
		"proxy-mode envelope around a success",
		[]string{"-alter-backend"},
		crlf("HTTP/2 200\ncontent-type: application/json\n\n") + `{"approval_id":null,"status_code":201,"headers":{},"body_b64":"e30=","body_truncated":true}`,
	},
	{
		"pending approval",
		[]string{"-alter-backend"},
		crlf("HTTP/2 202\ncontent-type: application/json\n\n") +
			`{"approval_id":"ap-1","approval_url":"https://alter.example/approve/ap-1","expires_at":"2026-03-06T10:00:00Z"}`,
	},
	{
		"denied approval",
		[]string{"-alter-backend", "-path", "/v1/approvals/ap-1"},
		crlf("HTTP/2 200\ncontent-type: application/json\n\n") + `{"approval_id":"ap-1","status":"denied","decision_reason":"not today"}`,
	},
	{
		"envelope without a word about the backend",
		nil,
		crlf("HTTP/2 200\ncontent-type: application/json\n\n") + `{"approval_id":"ap-1","status_code":500,"body_b64":"e30="}`,
	},
	{
		"success with a status member is no approval",
		[]string{"-alter-backend"},
		crlf("HTTP/2 200\ncontent-type: application/json\n\n") + `{"status":"pending","job":7}`,
	},
	{
		"redirect as the last answer",
		nil,
		crlf("HTTP/1.1 302 Found\nLocation: /elsewhere\n\n"),
	},
	{
		"interim answer alone",
		nil,
		"HTTP/1.1 100 Continue\r\n\r\n",
	},
	{
		"hostile texts",
		[]string{"-alter-backend", "-details"},
		crlf("HTTP/1.1 410 Gone\n\n") + `{"error":"call ada@example.com","message":"\u001b[31mred\u0007 \u202egnp.exe"}`,
	},
	{
		"code that is a text",
		[]string{"-alter-backend"},
		crlf("HTTP/1.1 410 Gone\n\n") + `{"error":"call ada@example.com"}`,
	},
	{
		"retried by curl with bodies between",
		[]string{"-alter-backend"},
		crlf("HTTP/2 502\ncontent-type: application/json\n\n") + `{"error":"bad_gateway"}` +
			crlf("HTTP/2 504\ncontent-type: application/json\n\n") + `{"error":"timeout"}`,
	},
	{
		"a hundred years to wait",
		nil,
		crlf("HTTP/1.1 503 Service Unavailable\nRetry-After: 99999999999999\n\n"),
	},
	{
		"UTF-16 of PowerShell",
		[]string{"-alter-backend"},
		utf16le("HTTP/1.1 410 Gone\r\n\r\n{\"error\":\"grant_deleted\"}\r\n"),
	},
	{
		"BOM and empty lines before it",
		[]string{"-alter-backend"},
		"\xef\xbb\xbf\r\n\nHTTP/1.1 410 Gone\n\n{\"error\":\"grant_deleted\"}",
	},
	{
		"empty line before the body got lost",
		[]string{"-alter-backend"},
		"HTTP/1.1 410 Gone\nContent-Type: application/json\n{\"error\":\"grant_deleted\"}\n",
	},
}

func crlf(text string) string {
	return strings.ReplaceAll(text, "\n", "\r\n")
}

func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(text))
	z.Close()
	return b.String()
}

func utf16le(text string) string {
	out := "\xff\xfe"
	for _, c := range []byte(text) {
		out += string(rune(c)) + "\x00"
	}
	return out
}
