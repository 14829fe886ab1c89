// Package kubernetes plugs steadytrip into client-go.
//
//	config.Wrap(func(base http.RoundTripper) http.RoundTripper { return steady(base) })
//
// where steady calls transport.New, as [Wrap] does. Authentication stands outside of it: every attempt has the token.
// Clients that are made one by one of the same config know what the others learn only if Config.Shared is set.
//
// client-go repeats a 429 or a 5xx that has a Retry-After up to ten times, and a GET whose connection broke. Requests of a REST
// client switch that off with MaxRetries(0). The typed clients cannot; Wrap sees to them.
package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/transport"
)

// Wrap plugs steadytrip into every client that is made of config, the typed ones included.
//
// It takes the Retry-After off an answer that has failed for good, so that client-go does not begin anew.
// What the body says, retryAfterSeconds of the status included, stays.
func Wrap(config *rest.Config, cfg transport.Config) error {
	cfg.PerCall = append([]transport.Middleware{final}, cfg.PerCall...)
	if _, err := transport.New(nil, cfg); err != nil {
		return err
	}
	config.Wrap(func(base http.RoundTripper) http.RoundTripper {
		rt, _ := transport.New(base, cfg) // cfg has no fault
		return rt
	})
	return nil
}

// final is the middleware that takes the Retry-After off what has failed.
func final(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		if err == nil && transport.TrailOf(resp, nil).Attempts > 0 {
			resp.Header.Del("Retry-After")
		}
		return resp, err
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// Client returns a client of the core API. A program has kubernetes.NewForConfig; this is a part of it that builds sooner.
func Client(config *rest.Config) (*rest.RESTClient, error) {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	config = rest.CopyConfig(config)
	config.APIPath = "/api"
	config.GroupVersion = &corev1.SchemeGroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	config.ContentType = runtime.ContentTypeJSON
	return rest.RESTClientFor(config)
}

// SDK is client-go, asked for a pod.
func SDK() rig.SDK {
	return rig.SDK{
		Name: "kubernetes",
		Plug: "config.Wrap(func(base http.RoundTripper) http.RoundTripper { return steady(base) })",
		Off:  "MaxRetries(0) of a request; typed clients: Wrap of this folder",
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.URL.Path != "/api/v1/namespaces/default/pods/web-0" || r.Header.Get("Authorization") != "Bearer secret" {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			_ = json.NewEncoder(w).Encode(corev1.Pod{
				TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
				ObjectMeta: metav1.ObjectMeta{Name: "web-0", Namespace: "default"},
			})
		}),
		Call: func(ctx context.Context, hc *http.Client, url string, own bool) error {
			config := &rest.Config{Host: url, BearerToken: "secret"}
			config.Wrap(func(http.RoundTripper) http.RoundTripper { return hc.Transport })
			client, err := Client(config)
			if err != nil {
				return err
			}
			get := client.Get().Namespace("default").Resource("pods").Name("web-0")
			if !own {
				get.MaxRetries(0)
			}
			var pod corev1.Pod
			if err := get.Do(ctx).Into(&pod); err != nil {
				return err
			}
			if pod.Name != "web-0" {
				return fmt.Errorf("got pod %q", pod.Name)
			}
			return nil
		},
		Unavailable: []byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"the server is currently unable to handle the request",` +
			`"reason":"ServiceUnavailable","code":503}`),
		Limited: []byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"too many requests","reason":"TooManyRequests",` +
			`"details":{"retryAfterSeconds":1},"code":429}`),
		Explain: func(err error) string {
			var status *apierrors.StatusError
			if !errors.As(err, &status) {
				return ""
			}
			return fmt.Sprintf("StatusError: %s: %s", status.ErrStatus.Reason, status.ErrStatus.Message)
		},
	}
}
