package classify

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	imf := func(at time.Time) string { return at.Format(http.TimeFormat) }
	for _, c := range []struct {
		name   string
		fields map[string][]string
		now    time.Time
		want   time.Duration
		ok     bool
	}{
		{"no field", nil, now, 0, false},
		{"an empty list", map[string][]string{"Retry-After": {}}, now, 0, false},
		{"an empty value", map[string][]string{"Retry-After": {""}}, now, 0, false},
		{"seconds", map[string][]string{"Retry-After": {"120"}}, now, 2 * time.Minute, true},
		{"zero", map[string][]string{"Retry-After": {"0"}}, now, 0, true},
		{"spaces around", map[string][]string{"Retry-After": {" \t5 "}}, now, 5 * time.Second, true},
		{"leading zeros", map[string][]string{"Retry-After": {"007"}}, now, 7 * time.Second, true},
		{"the first value only", map[string][]string{"Retry-After": {"x", "5"}}, now, 0, false},
		{"negative", map[string][]string{"Retry-After": {"-5"}}, now, 0, false},
		{"a plus sign", map[string][]string{"Retry-After": {"+5"}}, now, 0, false},
		{"a fraction", map[string][]string{"Retry-After": {"1.5"}}, now, 0, false},
		{"hexadecimal", map[string][]string{"Retry-After": {"0x10"}}, now, 0, false},
		{"an exponent", map[string][]string{"Retry-After": {"1e3"}}, now, 0, false},
		{"NaN", map[string][]string{"Retry-After": {"NaN"}}, now, 0, false},
		{"an underscore", map[string][]string{"Retry-After": {"1_0"}}, now, 0, false},
		{"a unit", map[string][]string{"Retry-After": {"5s"}}, now, 0, false},
		{"a list", map[string][]string{"Retry-After": {"5, 6"}}, now, 0, false},
		{"digits of another script", map[string][]string{"Retry-After": {"\u0665"}}, now, 0, false},
		{"a day", map[string][]string{"Retry-After": {"86400"}}, now, 24 * time.Hour, true},
		{"more than a duration holds", map[string][]string{"Retry-After": {"9223372037"}}, now, maxHint, true},
		{"more than an int64 holds", map[string][]string{"Retry-After": {"9223372036854775808"}}, now, maxHint, true},
		{"20 digits", map[string][]string{"Retry-After": {strings.Repeat("9", 20)}}, now, maxHint, true},
		{"21 digits", map[string][]string{"Retry-After": {strings.Repeat("9", 21)}}, now, 0, false},
		{"5000 digits", map[string][]string{"Retry-After": {strings.Repeat("9", 5000)}}, now, 0, false},
		{"100 years and a second", map[string][]string{"Retry-After": {"3153600001"}}, now, maxHint, true},

		{"a date", map[string][]string{"Retry-After": {imf(now.Add(90 * time.Second))}}, now, 90 * time.Second, true},
		{"a date in the form of RFC 850", map[string][]string{"Retry-After": {now.Add(time.Minute).Format(time.RFC850)}}, now, time.Minute, true},
		{"a date in the form of asctime", map[string][]string{"Retry-After": {now.Add(time.Minute).Format(time.ANSIC)}}, now, time.Minute, true},
		{"a past date", map[string][]string{"Retry-After": {imf(now.Add(-time.Hour))}}, now, 0, false},
		{"the present", map[string][]string{"Retry-After": {imf(now)}}, now, 0, false},
		{"a date without a clock", map[string][]string{"Retry-After": {imf(now.Add(time.Hour))}}, time.Time{}, 0, false},
		{"a date in the year 9999", map[string][]string{"Retry-After": {"Fri, 31 Dec 9999 23:59:59 GMT"}}, now, maxHint, true},
		{"no date", map[string][]string{"Retry-After": {"Fri, 45 Dec 2026 23:59:59 GMT"}}, now, 0, false},
		{"a date against a server whose clock is a day ahead",
			map[string][]string{"Retry-After": {imf(now.Add(24*time.Hour + 30*time.Second))}, "Date": {imf(now.Add(24 * time.Hour))}}, now, 30 * time.Second, true},
		{"a date against a server whose clock is a day behind",
			map[string][]string{"Retry-After": {imf(now.Add(30*time.Second - 24*time.Hour))}, "Date": {imf(now.Add(-24 * time.Hour))}}, now, 30 * time.Second, true},
		{"a date and a Date without a clock",
			map[string][]string{"Retry-After": {imf(now.Add(30 * time.Second))}, "Date": {imf(now)}}, time.Time{}, 30 * time.Second, true},
		{"a date and a broken Date",
			map[string][]string{"Retry-After": {imf(now.Add(30 * time.Second))}, "Date": {"yesterday"}}, now, 30 * time.Second, true},
		{"the earliest Date and the latest date",
			map[string][]string{"Retry-After": {"Fri, 31 Dec 9999 23:59:59 GMT"}, "Date": {"Tue, 01 Jan 0002 00:00:00 GMT"}}, now, maxHint, true},

		{"milliseconds", map[string][]string{"Retry-After-Ms": {"250"}}, now, 250 * time.Millisecond, true},
		{"milliseconds by their other name", map[string][]string{"X-Ms-Retry-After-Ms": {"250"}}, now, 250 * time.Millisecond, true},
		{"milliseconds before seconds", map[string][]string{"Retry-After-Ms": {"250"}, "Retry-After": {"1"}}, now, 250 * time.Millisecond, true},
		{"broken milliseconds", map[string][]string{"Retry-After-Ms": {"soon"}, "Retry-After": {"1"}}, now, time.Second, true},
		{"half a millisecond", map[string][]string{"Retry-After-Ms": {"1200.5"}}, now, 1201 * time.Millisecond, true},
		{"a fraction of zero", map[string][]string{"X-Ms-Retry-After-Ms": {"250.000"}}, now, 250 * time.Millisecond, true},
		{"a small fraction", map[string][]string{"Retry-After-Ms": {"0.0001"}}, now, time.Millisecond, true},
		{"zero milliseconds with a fraction of zero", map[string][]string{"Retry-After-Ms": {"0.0"}}, now, 0, true},
		{"a fraction of 20 digits", map[string][]string{"Retry-After-Ms": {"1." + strings.Repeat("9", 20)}}, now, 2 * time.Millisecond, true},
		{"a fraction of 21 digits", map[string][]string{"Retry-After-Ms": {"1." + strings.Repeat("9", 21)}}, now, 0, false},
		{"a fraction of too many milliseconds", map[string][]string{"Retry-After-Ms": {"9223372036854775807.5"}}, now, maxHint, true},
		{"a fraction without digits", map[string][]string{"Retry-After-Ms": {"5."}}, now, 0, false},
		{"a fraction of nothing", map[string][]string{"Retry-After-Ms": {".5"}}, now, 0, false},
		{"two fractions", map[string][]string{"Retry-After-Ms": {"1.5.5"}}, now, 0, false},
		{"a fraction with an exponent", map[string][]string{"Retry-After-Ms": {"1.2e3"}}, now, 0, false},
		{"negative milliseconds with a fraction", map[string][]string{"Retry-After-Ms": {"-1.5"}}, now, 0, false},
		{"a sign in the fraction", map[string][]string{"Retry-After-Ms": {"1.-5"}}, now, 0, false},
		{"a comma", map[string][]string{"Retry-After-Ms": {"1,5"}}, now, 0, false},
		{"milliseconds that are no number", map[string][]string{"Retry-After-Ms": {"Inf"}}, now, 0, false},
		{"too many milliseconds", map[string][]string{"Retry-After-Ms": {"9223372036854775807"}}, now, maxHint, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := RetryAfter(c.fields, c.now)
			if got != c.want || ok != c.ok {
				t.Errorf("got %v, %v, want %v, %v", got, ok, c.want, c.ok)
			}
		})
	}
}

func TestRateLimitFields(t *testing.T) {
	for _, c := range []struct {
		name   string
		fields map[string][]string
		want   *RateLimit
	}{
		{"none", nil, nil},
		{"empty", map[string][]string{"Ratelimit": {""}}, nil},
		{"garbage", map[string][]string{"Ratelimit": {`";;,=="`}}, nil},
		{"a policy alone says nothing of what is left", map[string][]string{"Ratelimit-Policy": {`"p";q=10;w=60`}}, nil},
		{"the draft's form", map[string][]string{"Ratelimit": {`"p";r=3;t=7`}}, &RateLimit{Policy: "p", Remaining: 3, Reset: 7 * time.Second}},
		{"without a reset", map[string][]string{"Ratelimit": {`"p";r=3`}}, &RateLimit{Policy: "p", Remaining: 3}},
		{"with its policy", map[string][]string{"Ratelimit": {`"p";r=3;t=7`}, "Ratelimit-Policy": {`"q";q=1;w=2,"p";q=10;w=60`}},
			&RateLimit{Policy: "p", Limit: 10, Remaining: 3, Reset: 7 * time.Second, Window: time.Minute}},
		{"a name that is a token", map[string][]string{"Ratelimit": {`p; r=3; t=7`}, "Ratelimit-Policy": {`p;q=10`}},
			&RateLimit{Policy: "p", Limit: 10, Remaining: 3, Reset: 7 * time.Second}},
		{"of several the one with the least left", map[string][]string{"Ratelimit": {`"a";r=9;t=1, "b";r=2;t=60`, `"c";r=5;t=3`}},
			&RateLimit{Policy: "b", Remaining: 2, Reset: time.Minute}},
		{"of equals the one that lasts longer", map[string][]string{"Ratelimit": {`"a";r=0;t=60,"b";r=0;t=1,"c";r=0;t=90`}},
			&RateLimit{Policy: "c", Reset: 90 * time.Second}},
		{"commas and semicolons in a name", map[string][]string{"Ratelimit": {`"a,b;c\"d";r=1;t=2`}, "Ratelimit-Policy": {`"a,b;c\"d";q=4`}},
			&RateLimit{Policy: `a,b;c"d`, Limit: 4, Remaining: 1, Reset: 2 * time.Second}},
		{"an open string", map[string][]string{"Ratelimit": {`"a;r=1`}}, nil},
		{"negative numbers", map[string][]string{"Ratelimit": {`"a";r=-1;t=-7`}}, nil},
		{"a negative reset", map[string][]string{"Ratelimit": {`"a";r=1;t=-7`}}, &RateLimit{Policy: "a", Remaining: 1}},
		{"a huge reset", map[string][]string{"Ratelimit": {`"a";r=0;t=99999999999999999999`}}, &RateLimit{Policy: "a", Reset: maxHint}},
		{"a partition key", map[string][]string{"Ratelimit": {`"a";r=1;t=7;pk=:YWJj:`}}, &RateLimit{Policy: "a", Remaining: 1, Reset: 7 * time.Second}},
		{"one field of the earlier form", map[string][]string{"Ratelimit": {"limit=10, remaining=0, reset=7"}},
			&RateLimit{Limit: 10, Reset: 7 * time.Second}},
		{"one field of the earlier form with its policy", map[string][]string{"Ratelimit": {"limit=10, remaining=0, reset=7"}, "Ratelimit-Policy": {"5;w=1, 10;w=60"}},
			&RateLimit{Limit: 10, Reset: 7 * time.Second, Window: time.Minute}},
		{"one field for each number", map[string][]string{"Ratelimit-Limit": {"10"}, "Ratelimit-Remaining": {"4"}, "Ratelimit-Reset": {"7"}},
			&RateLimit{Limit: 10, Remaining: 4, Reset: 7 * time.Second}},
		{"one number is enough", map[string][]string{"Ratelimit-Remaining": {"4"}}, &RateLimit{Remaining: 4}},
		{"one number is enough, but not any", map[string][]string{"Ratelimit-Limit": {"4"}, "Ratelimit-Reset": {"4"}}, nil},
		{"a long name", map[string][]string{"Ratelimit": {`"` + strings.Repeat("x", 500) + `";r=1`}}, &RateLimit{Policy: strings.Repeat("x", 128), Remaining: 1}},
		{"a name that is no UTF-8", map[string][]string{"Ratelimit": {"\"\xff\";r=1"}}, &RateLimit{Policy: "\uFFFD", Remaining: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := rateLimit(c.fields)
			if (got == nil) != (c.want == nil) || got != nil && *got != *c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if v := (Provider{}).Classify(Outcome{Status: 429, Header: c.fields}); (v.Detail.RateLimit == nil) != (c.want == nil) {
				t.Errorf("verdict: got %+v, want %+v", v.Detail.RateLimit, c.want)
			}
		})
	}
}
