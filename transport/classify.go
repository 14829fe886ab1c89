package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"time"

	"github.com/steadytrip/steadytrip/classify"
)

// Classify judges what comes back from the next RoundTripper. A failing answer stays the answer it is and carries its verdict,
// see [classify.Of]; an error becomes the typed error of its kind, with the original reachable by errors.Is and errors.As.
// What c has no opinion on, everything if it is nil, [classify.Default] judges; to say that an answer of 400 or more
// is no failure, c returns a verdict of kind [classify.Success]. An error is always a failure.
//
// The errors that net/http compares directly, tls.RecordHeaderError and http.ErrSkipAltProtocol, come out as they are.
// A *url.Error, which an http.Client used as a base returns, is taken off.
func Classify(c classify.Classifier) Middleware {
	c = classify.First(c, classify.Default())
	return func(next http.RoundTripper) http.RoundTripper { return &classifying{inner{next}, c} }
}

type classifying struct {
	inner
	classifier classify.Classifier
}

var _ judging = (*classifying)(nil)

func (c *classifying) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, v, err := c.judged(req)
	attach(resp, v)
	return resp, err
}

func (c *classifying) judged(req *http.Request) (*http.Response, *classify.Verdict, error) {
	resp, err := c.next.RoundTrip(req)
	if err != nil {
		if resp != nil {
			discard(req, resp)
		}
		return nil, nil, c.typed(req, err)
	}
	if resp == nil {
		return nil, nil, nil // the base's own breach of contract, which http.Client reports
	}
	over := false
	defer func() {
		if !over { // the classifier panicked
			discard(req, resp)
		}
	}()
	if resp.Request == nil {
		resp.Request = req
	}
	v := classify.Judge(resp, c.classifier)
	over = true
	if v.Kind == classify.Unclassified {
		return resp, verdictOf(req, resp), nil // of a chain further in
	}
	handed := v // of its own, so that a success takes no room
	return resp, &handed, nil
}

// typed returns err as the error of its kind.
func (c *classifying) typed(req *http.Request, err error) error {
	if comparedDirectly(err) {
		return err
	}
	if u, ok := err.(*url.Error); ok && u != nil && u.Err != nil { //nolint:errorlint // only the outermost is the client's
		err = u.Err
	}
	if hasVerdict(err) {
		return err
	}
	if typed := c.classifier.Classify(failed(req, err)).Err(err); typed != nil {
		return typed
	}
	return err
}

// comparedDirectly reports whether net/http compares err itself, without looking below a wrapper.
func comparedDirectly(err error) bool {
	_, record := err.(tls.RecordHeaderError)        //nolint:errorlint // as http.Client does
	return record || err == http.ErrSkipAltProtocol //nolint:errorlint // as http.Transport does
}

// verdictOfError is the verdict inside an error, or what can be said of an error without one.
func verdictOfError(req *http.Request, err error) classify.Verdict {
	if hasVerdict(err) {
		return classify.Of(nil, err)
	}
	return classify.Default().Classify(failed(req, err))
}

func hasVerdict(err error) bool {
	_, known := errors.AsType[*classify.AlterSDKError](err)
	return known
}

// failed is the outcome of an attempt that ended in an error.
func failed(req *http.Request, err error) classify.Outcome {
	o := classify.Outcome{Method: req.Method, Err: err, ContextErr: Ended(req)}
	if isBare(err) {
		o.RequestErr = requestFault(req)
	}
	if req.URL != nil {
		o.Host, o.Path = req.URL.Host, req.URL.Path
	}
	return o
}

// isBare reports whether err is a text and nothing else, within net/http's own wrappings at most. So are its errors about
// requests that cannot be sent; any other type is about something that happened.
func isBare(err error) bool {
	for err != nil {
		t := reflect.TypeOf(err)
		if t == bareText {
			return true
		}
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if path := t.PkgPath(); path != "net/http" && path != "fmt" {
			return false
		}
		err = errors.Unwrap(err)
	}
	return false
}

var bareText = reflect.TypeOf(errors.New(""))

// Ended tells whether the caller of a request has given up: by its context, whose error it returns, or by the older Cancel channel, which
// http.Client.Timeout uses beside it. It is nil otherwise. A middleware asks it instead of the error of an attempt, which may
// be the context's cause, or a timeout of the transport's own that looks the same.
func Ended(req *http.Request) error {
	if err := req.Context().Err(); err != nil {
		return err
	}
	select {
	//lint:ignore SA1019 http.Client.Timeout sets it
	case <-req.Cancel:
		if deadline, ok := req.Context().Deadline(); ok && !time.Now().Before(deadline) {
			return context.DeadlineExceeded // http.Client sets both, and either may come first
		}
		return context.Canceled
	default:
		return nil
	}
}
