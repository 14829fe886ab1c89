package otelwrap

import (
	"net/url"
	"strings"
	"testing"
)

func TestURLsShowNoSecret(t *testing.T) {
	for name, tc := range map[string]struct {
		url   string
		grant string
		opts  Options
		want  string
	}{
		"nothing to hide":                        {url: "https://a.example/p?b=2&a=1#part", want: "https://a.example/p?b=2&a=1#part"},
		"odd escapes stay":                       {url: "https://a.example/%7Ep/%2f?b=%2f+%20&&=&a", want: "https://a.example/%7Ep/%2f?b=%2f+%20&&=&a"},
		"an empty query":                         {url: "https://a.example/?", want: "https://a.example/?"},
		"user and password":                      {url: "https://u:canary@a.example/", want: "https://REDACTED:REDACTED@a.example/"},
		"a user alone":                           {url: "https://canary@a.example/", want: "https://REDACTED:REDACTED@a.example/"},
		"AWS, signature version 2":               {url: "https://a.example/?AWSAccessKeyId=canary&Expires=1&Signature=canary", want: "https://a.example/?AWSAccessKeyId=REDACTED&Expires=1&Signature=REDACTED"},
		"AWS, signature version 4":               {url: "https://a.example/?X-Amz-Credential=canary&X-Amz-Date=1&X-Amz-Security-Token=canary&X-Amz-Signature=canary", want: "https://a.example/?X-Amz-Credential=REDACTED&X-Amz-Date=1&X-Amz-Security-Token=REDACTED&X-Amz-Signature=REDACTED"},
		"Azure":                                  {url: "https://a.example/?sv=1&sig=canary%3D&se=2", want: "https://a.example/?sv=1&sig=REDACTED&se=2"},
		"Google":                                 {url: "https://a.example/?X-Goog-Signature=canary", want: "https://a.example/?X-Goog-Signature=REDACTED"},
		"tokens":                                 {url: "https://a.example/?access_token=canary&api_key=canary", want: "https://a.example/?access_token=REDACTED&api_key=REDACTED"},
		"a parameter twice":                      {url: "https://a.example/?sig=canary&sig=canary", want: "https://a.example/?sig=REDACTED&sig=REDACTED"},
		"a name in escapes":                      {url: "https://a.example/?s%69g=canary", want: "https://a.example/?s%69g=REDACTED"},
		"a name in another case is another name": {url: "https://a.example/?SIG=1", want: "https://a.example/?SIG=1"},
		"a longer name is another name":          {url: "https://a.example/?design=1&sig2=1", want: "https://a.example/?design=1&sig2=1"},
		"a name without value":                   {url: "https://a.example/?sig&a=1", want: "https://a.example/?sig&a=1"},
		"an empty value":                         {url: "https://a.example/?sig=&a=1", want: "https://a.example/?sig=REDACTED&a=1"},
		"a value with equals signs":              {url: "https://a.example/?sig=canary==&a=1", want: "https://a.example/?sig=REDACTED&a=1"},
		"a value with a semicolon":               {url: "https://a.example/?sig=canary;canary&a=1", want: "https://a.example/?sig=REDACTED&a=1"},
		"behind a semicolon":                     {url: "https://a.example/?b=2;sig=canary&a=1", want: "https://a.example/?b=2;sig=REDACTED&a=1"},
		"behind a semicolon and no value":        {url: "https://a.example/?b;sig=canary", want: "https://a.example/?b;sig=REDACTED"},
		"a second question mark":                 {url: "https://a.example/?q=?sig=1&sig=canary", want: "https://a.example/?q=?sig=1&sig=REDACTED"},
		"a fragment":                             {url: "https://a.example/#access_token=canary&x=1", want: "https://a.example/#access_token=REDACTED&x=1"},
		"a query and a fragment":                 {url: "https://a.example/?a=1&sig=canary#token=canary", want: "https://a.example/?a=1&sig=REDACTED#token=REDACTED"},
		"of the user's own":                      {url: "https://a.example/?ticket=canary&t=1", opts: Options{RedactQuery: []string{"ticket"}}, want: "https://a.example/?ticket=REDACTED&t=1"},
		"an opaque URL":                          {url: "https:u:canary@a.example?sig=canary", want: "https:u:canary@a.example?sig=REDACTED"},
		"a grant in the query":                   {url: "https://a.example/?grant_id=canary", want: "https://a.example/?grant_id=REDACTED"},
		"a grant in the path":                    {url: "https://a.example/v1/grants/canary/mail", grant: "canary", want: "https://a.example/v1/grants/REDACTED/mail"},
		"a grant at the end":                     {url: "https://a.example/v1/canary", grant: "canary", want: "https://a.example/v1/REDACTED"},
		"a grant with a verb":                    {url: "https://a.example/v1/canary:refresh", grant: "canary", want: "https://a.example/v1/REDACTED:refresh"},
		"a grant in escapes":                     {url: "https://a.example/v1/can%2Fary?x=can%2Fary", grant: "can/ary", want: "https://a.example/v1/REDACTED?x=REDACTED"},
		"a grant behind an escape":               {url: "https://a.example/v1/x%2Fcanary", grant: "canary", want: "https://a.example/v1/x%2FREDACTED"},
		"a short grant is no part of a word":     {url: "https://1.example/v1/1/11/a1", grant: "1", want: "https://1.example/v1/REDACTED/11/a1"},
		"a grant that may be shown":              {url: "https://a.example/?grant_id=g", opts: Options{ShowGrants: true}, want: "https://a.example/?grant_id=g"},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := url.Parse(tc.url)
			if err != nil {
				t.Fatal(err)
			}
			before := *u
			got := newRedactor(tc.opts).url(u, tc.grant)
			if got != tc.want {
				t.Errorf("%s\nwant %s", got, tc.want)
			}
			if *u != before {
				t.Error("the URL was changed")
			}
		})
	}
	opaque := &url.URL{Scheme: "https", Opaque: "//u:canary@a.example/p?sig=canary"}
	if got, want := newRedactor(Options{}).url(opaque, ""), "https://REDACTED:REDACTED@a.example/p?sig=REDACTED"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := newRedactor(Options{}).url(nil, "x"); got != "" {
		t.Errorf("no URL is %q, want nothing", got)
	}
}

// Whatever else a URL is, the value of a secret parameter does not show, and what has no secret stays as it is.
func FuzzRedact(f *testing.F) {
	for _, seed := range []string{"a=1", "sig=x", "a;sig=x&b", "%73ig=x", "=&;;=&sig", "a#sig=1", "\x00;\xff=&"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		const secret = "s3cr3t"
		r := newRedactor(Options{})
		u := &url.URL{Scheme: "https", Host: "a.example", Path: "/", RawQuery: query}
		if got := r.url(u, ""); got != plain(u.String()) && !strings.Contains(got, redacted) {
			t.Errorf("%q became %q", u, got)
		}
		if strings.Contains(query, secret) || strings.ContainsAny(query, "#") {
			return
		}
		u.RawQuery = query + "&sig=" + secret + "&" + query
		if got := r.url(u, ""); strings.Contains(got, secret) {
			t.Errorf("%q became %q, which shows the secret", u, got)
		}
	})
}
