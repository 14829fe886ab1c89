// Package aws plugs steadytrip into aws-sdk-go-v2.
//
//	cfg, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(hc),
//		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }))
//
// where hc comes from [HTTPClient], and the second option switches the SDK's own retries off. Left on, they do not repeat what
// steadytrip returns as an error, for its mark says that retrying has been done; an answer has no mark, and is repeated.
//
// The SDK gives net/http no way to read a body again (http.Request.GetBody), so steadytrip sends a request with a body once. That is
// every call of the services that speak JSON, such as DynamoDB. transport.Buffer in Config.PerCall lets it repeat them up to a size;
// they are POSTs, so mark those that may be repeated with transport.Idempotent. For a large upload let the SDK repeat instead,
// which can seek in its stream: [UploadByTheSDK].
//
// The signature (SigV4) is made outside of steadytrip: every attempt has that of the first, which AWS takes for some minutes.
// With AWS_CA_BUNDLE set, LoadDefaultConfig refuses a plain http.Client.
package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/transport"
)

// HTTPClient returns the SDK's own http.Client with steadytrip around its transport: it follows only the redirects that keep the
// method, as the services expect.
func HTTPClient(cfg transport.Config) (*http.Client, error) {
	client, ok := awshttp.NewBuildableClient().Freeze().(*http.Client)
	if !ok {
		return nil, errors.New("aws: the SDK's own client is no http.Client")
	}
	return transport.Wrap(client, cfg)
}

// Config returns the configuration for every service of the SDK on hc, without retries of its own. It reads nothing of the machine.
func Config(hc *http.Client, url string) aws.Config {
	return aws.Config{
		Region:       "eu-central-1",
		BaseEndpoint: aws.String(url),
		Credentials:  credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
		HTTPClient:   hc,
		Retryer:      func() aws.Retryer { return aws.NopRetryer{} },

		// As LoadDefaultConfig has it.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
	}
}

// Client returns a client of S3.
func Client(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
}

// UploadByTheSDK has the SDK repeat a call, and steadytrip send each of its attempts once.
func UploadByTheSDK(ctx context.Context, client *s3.Client, in *s3.PutObjectInput) (*s3.PutObjectOutput, error) {
	return client.PutObject(transport.NoRetry(ctx), in, func(o *s3.Options) { o.Retryer = retry.NewStandard() })
}

// SDK is the client of S3, asked for an object.
func SDK() rig.SDK {
	return rig.SDK{
		Name: "aws",
		Plug: "config.LoadDefaultConfig(ctx, config.WithHTTPClient(hc))",
		Off:  "config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} })",
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/bucket/key" || !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			w.Header().Set("Etag", `"1"`)
			fmt.Fprint(w, "content")
		}),
		Call: func(ctx context.Context, hc *http.Client, url string, own bool) error {
			cfg := Config(hc, url)
			if own {
				cfg.Retryer = func() aws.Retryer {
					return retry.NewStandard(func(o *retry.StandardOptions) { // by default, but for shorter pauses
						o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return time.Millisecond, nil })
					})
				}
			}
			out, err := Client(cfg).GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("key")})
			if err != nil {
				return err
			}
			defer out.Body.Close()
			content, err := io.ReadAll(out.Body)
			if err == nil && string(content) != "content" {
				err = fmt.Errorf("got %q", content)
			}
			return err
		},
		Unavailable: []byte(`<?xml version="1.0" encoding="UTF-8"?>` +
			`<Error><Code>ServiceUnavailable</Code><Message>Service is unable to handle request.</Message><RequestId>4442587FB7D0A2F9</RequestId></Error>`),
		Limited: []byte(`<?xml version="1.0" encoding="UTF-8"?>` +
			`<Error><Code>TooManyRequestsException</Code><Message>Too many requests.</Message><RequestId>4442587FB7D0A2F9</RequestId></Error>`),
		Header: http.Header{"X-Amz-Request-Id": {"656C76696E672773"}},
		Explain: func(err error) string {
			var api smithy.APIError
			if !errors.As(err, &api) {
				return ""
			}
			explained := "smithy.APIError: " + api.ErrorCode() + ": " + api.ErrorMessage()
			var answer *awshttp.ResponseError
			if errors.As(err, &answer) {
				explained += ", request " + answer.ServiceRequestID()
			}
			return explained
		},
	}
}
