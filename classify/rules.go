package classify

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Rule says what an answer of a known API means beyond its status. It fits an answer that meets all of its conditions;
// a condition that is not set is met. Then Kind, Unprocessed and Reset say what follows.
// Values and codes are compared letter by letter. Of a field only the first value counts.
type Rule struct {
	Name string // in snake case

	// Statuses are those that the rule is about; 4 and 5 stand for their classes. Default: all from 400.
	Statuses []int
	// Header names fields that the answer must have, all of them: with one of the values, or, if there are none,
	// with any value but an empty one. Of a shape id, "namespace#Name:uri" in X-Amzn-Errortype, the Name counts.
	Header map[string][]string
	// Hinted: the answer says how long to stay away, in a way that [RetryAfter] understands.
	Hinted bool
	// Members are where in the body a code may stand, such as "error.code": at most four names separated by dots.
	// In JSON an array on the way stands for its elements. In XML the names are those of elements, the root's first, as in
	// "Error.Code", and those of namespaces do not count. Of a shape id in "__type" or "code" its name may be the code, and
	// of a URL in "documentation_url" what follows the "#"; these three at the top level only.
	Members []string
	// Codes: one of the Members is one of these strings. The code found becomes the verdict's Code.
	Codes []string

	// Kind is what the answer means: ProviderAPI or a kind below it. Unclassified, the default, leaves the kind that
	// the status calls for, and keeps the rules that follow from changing it.
	Kind Kind
	// Unprocessed: the header tells that the request was turned away before anything ran, so that even a POST may be
	// sent again. Only for a ProviderRateLimit of a 4xx, and never by a code in the body.
	Unprocessed bool
	// Reset names a field that says when requests are welcome again: the Unix time, in seconds, or the time until then
	// with its units, as in "1m30.5s" or "12ms". It counts where [RetryAfter] finds no hint.
	Reset string
	// Wait is how long to stay away if the answer does not say, where the documentation does.
	Wait time.Duration

	Source string // the documentation that says so
}

// Codes that AWS documents as throttling, and as other states that pass.
var (
	awsThrottling = []string{
		"Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException", "RequestThrottled",
		"TooManyRequestsException", "ProvisionedThroughputExceededException", "RequestLimitExceeded", "BandwidthLimitExceeded",
		"LimitExceededException", "SlowDown", "EC2ThrottledException",
	}
	awsTransient = []string{"RequestTimeout", "RequestTimeoutException", "PriorRequestNotComplete", "TransactionInProgressException"}
)

// awsCode is where AWS writes a code: in JSON, then in the XML of the query protocol, of EC2 and of S3.
var awsCode = []string{"__type", "code", "ErrorResponse.Error.Code", "Response.Errors.Error.Code", "Error.Code"}

// Statuses that are worth another try as they are.
var transientStatuses = []int{408, 425, 429, 502, 503, 504}

const (
	sourceOpenAIQuota = "OpenAI: Error codes, https://developers.openai.com/docs/guides/error-codes; Troubleshooting API usage and spend limits, https://help.openai.com/en/articles/6614457; billing_not_active as seen in https://github.com/BerriAI/litellm/issues/2743"
	sourceShouldRetry = "OpenAI and Anthropic: shouldRetry of their SDKs, https://github.com/openai/openai-go/blob/main/internal/requestconfig/requestconfig.go"
	sourceStripeKey   = "Stripe: Error codes, https://docs.stripe.com/error-codes; shouldRetry of its SDK, https://github.com/stripe/stripe-go/blob/master/stripe.go; The Idempotency-Key HTTP Header Field, section 2.7, https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/"
	sourceStripe      = "Stripe: The Stripe-Should-Retry header, https://docs.stripe.com/error-low-level"
	sourceOpenAIReset = "OpenAI: Rate limits, rate limits in headers, https://developers.openai.com/api/docs/guides/rate-limits"
	sourceAWS         = "AWS: Retries, standard mode, https://docs.aws.amazon.com/boto3/latest/guide/retries.html"
	sourceAWSBody     = sourceAWS + "; Smithy: AWS query protocol, operation error serialization, https://smithy.io/2.0/aws/protocols/aws-query-protocol.html; Smithy: EC2 query protocol, operation error serialization, https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html; S3: Error responses, https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"
	sourceAWSHeader   = sourceAWS + "; Smithy: AWS restJson1, operation error serialization, https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html"
	sourceGitHub      = "GitHub: Troubleshooting the REST API, rate limit errors, https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api"
)

// rules is the built-in table, in the order in which its rows are tried. Rows that stop a retry stand before those that
// call for one, and rows that identify their API before those that fit several.
var rules = []Rule{
	// Time does not heal these: the user does.
	{Name: "unauthorized", Statuses: []int{401}, Source: "RFC 9110, section 15.5.2"},
	{Name: "challenge", Statuses: []int{403}, Header: map[string][]string{"Www-Authenticate": nil}, Source: "RFC 9110, section 11.6.1; RFC 6750, section 3.1"},

	// Nor these: somebody has to pay, or to raise a limit.
	{Name: "openai_quota", Statuses: []int{429}, Members: []string{"error.code"},
		Codes: []string{"insufficient_quota", "credit_balance_exhausted", "organization_usage_limit_exceeded", "organization_spend_limit_exceeded", "project_spend_limit_exceeded", "billing_not_active"},
		Kind:  ProviderAPI, Source: sourceOpenAIQuota},
	{Name: "openai_quota_type", Statuses: []int{429}, Members: []string{"error.type"}, Codes: []string{"insufficient_quota", "billing_not_active"}, Kind: ProviderAPI, Source: sourceOpenAIQuota},
	{Name: "anthropic_spend_limit", Statuses: []int{429}, Members: []string{"error.details.error_code"}, Codes: []string{"enforced_spend_limit_reached"},
		Kind: ProviderAPI, Source: "Anthropic: Rate limits, https://platform.claude.com/docs/en/api/rate-limits"},
	{Name: "google_daily_limit", Statuses: []int{403, 429}, Members: []string{"error.errors.reason"}, Codes: []string{"dailyLimitExceeded"},
		Kind: ProviderAPI, Source: "Google: Resolve errors, https://developers.google.com/workspace/drive/api/guides/handle-errors"},

	{Name: "should_retry_false", Statuses: []int{408, 425, 429, 5}, Header: map[string][]string{"X-Should-Retry": {"false"}}, Kind: ProviderAPI, Source: sourceShouldRetry},
	{Name: "should_retry_false_as_it_is", Header: map[string][]string{"X-Should-Retry": {"false"}}, Source: sourceShouldRetry},
	// Of a limit on requests and one on tokens, the one that is used up says when.
	{Name: "openai_requests_used_up", Statuses: []int{429}, Header: map[string][]string{"X-Ratelimit-Remaining-Requests": {"0"}}, Reset: "X-Ratelimit-Reset-Requests", Source: sourceOpenAIReset},
	{Name: "openai_tokens_used_up", Statuses: []int{429}, Header: map[string][]string{"X-Ratelimit-Remaining-Tokens": {"0"}}, Reset: "X-Ratelimit-Reset-Tokens", Source: sourceOpenAIReset},

	{Name: "should_retry_true_as_it_is", Statuses: transientStatuses, Header: map[string][]string{"X-Should-Retry": {"true"}}, Source: sourceShouldRetry},
	{Name: "should_retry_true", Header: map[string][]string{"X-Should-Retry": {"true"}}, Kind: ProviderUnavailable, Source: sourceShouldRetry},
	{Name: "stripe_should_retry_false", Statuses: []int{408, 425, 429, 5}, Header: map[string][]string{"Stripe-Should-Retry": {"false"}}, Kind: ProviderAPI, Source: sourceStripe},
	{Name: "stripe_should_retry_false_as_it_is", Header: map[string][]string{"Stripe-Should-Retry": {"false"}}, Source: sourceStripe},
	{Name: "stripe_should_retry_true_as_it_is", Statuses: transientStatuses, Header: map[string][]string{"Stripe-Should-Retry": {"true"}}, Source: sourceStripe},
	{Name: "stripe_should_retry_true", Header: map[string][]string{"Stripe-Should-Retry": {"true"}}, Kind: ProviderUnavailable, Source: sourceStripe},

	// The request that the key belongs to is still under way: the answer to it is there for who asks again with the same key.
	{Name: "stripe_key_in_use", Statuses: []int{409}, Members: []string{"error.code"}, Codes: []string{"idempotency_key_in_use"}, Kind: ProviderUnavailable, Source: sourceStripeKey},

	{Name: "aws_throttled", Statuses: []int{4}, Header: map[string][]string{"X-Amzn-Errortype": awsThrottling}, Kind: ProviderRateLimit, Unprocessed: true, Source: sourceAWSHeader},
	{Name: "aws_throttled_by_server", Statuses: []int{5}, Header: map[string][]string{"X-Amzn-Errortype": awsThrottling}, Kind: ProviderRateLimit, Source: sourceAWSHeader},
	{Name: "aws_transient", Header: map[string][]string{"X-Amzn-Errortype": awsTransient}, Kind: ProviderUnavailable, Source: sourceAWSHeader},
	{Name: "aws_throttled_code", Statuses: []int{400, 403, 429, 5}, Members: awsCode, Codes: awsThrottling, Kind: ProviderRateLimit, Source: sourceAWSBody},
	{Name: "aws_transient_code", Statuses: []int{400, 5}, Members: awsCode, Codes: awsTransient, Kind: ProviderUnavailable, Source: sourceAWSBody},

	{Name: "azure_transient", Statuses: []int{5}, Header: map[string][]string{"X-Ms-Error-Code": {"ServerBusy", "OperationTimedOut", "InternalError"}},
		Kind: ProviderUnavailable, Source: "Azure Storage: Common REST API error codes, https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes"},

	{Name: "github_rate_limit", Statuses: []int{403, 429}, Header: map[string][]string{"X-Github-Request-Id": nil, "X-Ratelimit-Remaining": {"0"}},
		Kind: ProviderRateLimit, Unprocessed: true, Reset: "X-Ratelimit-Reset", Source: sourceGitHub},
	{Name: "github_secondary_limit", Statuses: []int{403}, Header: map[string][]string{"X-Github-Request-Id": nil}, Hinted: true,
		Kind: ProviderRateLimit, Unprocessed: true, Source: sourceGitHub},
	{Name: "github_too_many", Statuses: []int{429}, Header: map[string][]string{"X-Github-Request-Id": nil}, Wait: time.Minute, Source: sourceGitHub},
	{Name: "github_secondary_limit_code", Statuses: []int{403}, Header: map[string][]string{"X-Github-Request-Id": nil}, Members: []string{"documentation_url"},
		Codes: []string{"about-secondary-rate-limits", "secondary-rate-limits", "abuse-rate-limits"}, Kind: ProviderRateLimit, Wait: time.Minute,
		Source: sourceGitHub + "; CheckResponse of go-github, https://github.com/google/go-github/blob/master/github/github.go"},

	{Name: "google_rate_limit", Statuses: []int{403, 429}, Members: []string{"error.details.reason", "error.errors.reason"},
		Codes: []string{"RATE_LIMIT_EXCEEDED", "rateLimitExceeded", "userRateLimitExceeded"}, Kind: ProviderRateLimit,
		Source: "Google: ErrorReason, https://cloud.google.com/php/docs/reference/common-protos/latest/Api.ErrorReason; Resolve errors, https://developers.google.com/workspace/drive/api/guides/handle-errors"},
	{Name: "google_exhausted", Statuses: []int{403, 429}, Members: []string{"error.status"}, Codes: []string{"RESOURCE_EXHAUSTED"},
		Kind: ProviderRateLimit, Source: "Google: AIP-193, Errors, https://google.aip.dev/193"},
	{Name: "google_unavailable", Statuses: []int{5}, Members: []string{"error.status"}, Codes: []string{"UNAVAILABLE"},
		Kind: ProviderUnavailable, Source: "Google: AIP-193, Errors, https://google.aip.dev/193"},
	{Name: "anthropic_overloaded", Statuses: []int{529}, Members: []string{"error.type"}, Codes: []string{"overloaded_error"},
		Kind: ProviderUnavailable, Source: "Anthropic: Errors, https://platform.claude.com/docs/en/api/errors"},

	// Other APIs that say so in GitHub's way.
	{Name: "rate_limit_used_up", Statuses: []int{403, 429}, Header: map[string][]string{"X-Ratelimit-Remaining": {"0"}},
		Kind: ProviderRateLimit, Reset: "X-Ratelimit-Reset", Source: sourceGitHub},
	{Name: "forbidden_for_now", Statuses: []int{403}, Hinted: true, Kind: ProviderRateLimit, Source: "RFC 9110, section 10.2.3; " + sourceGitHub},
}

// Rules returns the built-in rules for known APIs, in the order in which they are tried. The caller owns them.
func Rules() []Rule {
	all := slices.Clone(rules)
	for i, r := range all {
		all[i] = r.clone()
	}
	return all
}

func (r Rule) clone() Rule {
	r.Statuses, r.Members, r.Codes = slices.Clone(r.Statuses), slices.Clone(r.Members), slices.Clone(r.Codes)
	r.Header = maps.Clone(r.Header)
	for name, values := range r.Header {
		r.Header[name] = slices.Clone(values)
	}
	return r
}

// ProviderConfig changes how [Provider] reads answers. The zero value changes nothing.
type ProviderConfig struct {
	// Rules are tried in their order, before the built-in ones. The first rule that fits decides.
	Rules []Rule
}

// NewProvider returns a classifier for third-party APIs. The error lists every fault of cfg.
func NewProvider(cfg ProviderConfig) (Provider, error) {
	var found faults
	seen := make(map[string]bool, len(cfg.Rules))
	own := make([]Rule, len(cfg.Rules))
	for i, r := range cfg.Rules {
		for _, fault := range r.faults() {
			found = append(found, fmt.Errorf("Rules[%d]%w", i, fault))
		}
		if r.Name != "" && seen[r.Name] {
			found = append(found, fmt.Errorf("Rules[%d].Name %q stands twice", i, r.Name))
		}
		seen[r.Name] = true
		own[i] = r.clone()
	}
	if len(found) > 0 {
		return Provider{}, fmt.Errorf("classify: ProviderConfig: %w", found)
	}
	return Provider{newRuleSet(own, rules)}, nil
}

// faults are what is wrong with a rule, each to stand behind the rule's own name.
func (r Rule) faults() (found faults) {
	fault := func(format string, args ...any) { found = append(found, fmt.Errorf(format, args...)) }
	if r.Name == "" {
		fault(".Name is empty")
	}
	if len(r.Statuses) == 0 && len(r.Header) == 0 && len(r.Codes) == 0 && !r.Hinted {
		fault(" fits every answer: want Statuses, a Header, Hinted or Codes")
	}
	for _, s := range r.Statuses {
		if s != 4 && s != 5 && (s < 400 || s > 999) {
			fault(".Statuses: %d: want 4, 5 or a status of 400 to 999", s)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		if !isToken(name) {
			fault(".Header: %q is not a field name", name)
		}
		if slices.Contains(r.Header[name], "") {
			fault(".Header: %s: a value is empty, which no answer can meet", name)
		}
	}
	if (len(r.Members) == 0) != (len(r.Codes) == 0) {
		fault(": %d Members and %d Codes: want both or neither", len(r.Members), len(r.Codes))
	}
	for _, m := range r.Members {
		names := strings.Split(m, ".")
		if slices.Contains(names, "") || len(names) > maxDepth || len(m) > maxCode {
			fault(".Members: %q: want up to %d names separated by dots, as in %q, of at most %d bytes", clip([]byte(m), maxCode), maxDepth, "error.code", maxCode)
		}
	}
	for _, c := range r.Codes {
		if c == "" || len(c) > maxCode {
			fault(".Codes: a code of %d bytes: want 1 to %d", len(c), maxCode)
		}
	}
	if r.Kind != Unclassified && !r.Kind.Is(ProviderAPI) {
		fault(".Kind is %v: want %v or a kind below it", r.Kind, ProviderAPI)
	}
	if r.Unprocessed && !r.mayProveRefusal() {
		fault(".Unprocessed: want the Kind %v, statuses below 500, a Header, and no Codes", ProviderRateLimit)
	}
	if r.Reset != "" && !isToken(r.Reset) {
		fault(".Reset: %q is not a field name", r.Reset)
	}
	if r.Wait < 0 || r.Wait > maxHint {
		fault(".Wait: %v: want 0 to %v", r.Wait, maxHint)
	}
	return found
}

// mayProveRefusal reports whether an answer that r fits can tell that the request was turned away.
func (r Rule) mayProveRefusal() bool {
	server := func(status int) bool { return status == 5 || status >= 500 }
	return r.Kind == ProviderRateLimit && len(r.Statuses) > 0 && !slices.ContainsFunc(r.Statuses, server) && len(r.Header) > 0 && len(r.Codes) == 0
}

// isToken reports whether s can name a field (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}
