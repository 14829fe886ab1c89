package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"

	"github.com/steadytrip/steadytrip/examples/sdks/internal/rig"
	"github.com/steadytrip/steadytrip/transport"
	"github.com/steadytrip/steadytrip/transport/transporttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAttempts(t *testing.T) {
	rig.Check(t, SDK(), rig.Want{
		Bare:    map[rig.Fault]int{rig.Unavailable: 1, rig.Limited: 11, rig.Refused: 1},
		Doubled: map[rig.Fault]int{rig.Unavailable: 2, rig.Limited: 19, rig.Refused: 7, rig.Open: 1},
	})
}

// client returns a client with steadytrip plugged in by Wrap, whose own connections are closed at the end.
func client(t *testing.T, url string) *rest.RESTClient {
	t.Helper()
	config := &rest.Config{Host: url, BearerToken: "secret"}
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	config.Transport = base
	if err := Wrap(config, transport.Config{Policy: rig.Policy()}); err != nil {
		t.Fatal(err)
	}
	c, err := Client(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestWrap asks as the typed clients do, which cannot switch their retries off.
func TestWrap(t *testing.T) {
	t.Parallel()
	server := transporttest.NewServer(transporttest.Answer(429, string(SDK().Limited)).RetryAfter(0))
	defer server.Close()
	err := client(t, server.URL).Get().Namespace("default").Resource("pods").Name("web-0").Do(t.Context()).Error()
	if got, want := server.Total(), rig.Limited.Want(); got != want {
		t.Errorf("%d attempts, want %d", got, want)
	}
	if after, ok := apierrors.SuggestsClientDelay(err); !apierrors.IsTooManyRequests(err) || !ok || after != 1 {
		t.Errorf("the error suggests a delay: %v, %d s; want 1 s: %v", ok, after, err)
	}
	for _, r := range server.Requests() {
		if r.Header.Get("Authorization") != "Bearer secret" {
			t.Errorf("attempt %d has no token", r.Number)
		}
	}
}

// TestUpdate: client-go lets net/http read a body again, and so a PUT is repeated; the resourceVersion in it keeps it from undoing
// what others did in between.
func TestUpdate(t *testing.T) {
	t.Parallel()
	server := transporttest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.Copy(w, r.Body)
	}))
	defer server.Close()
	server.AnswerNext(transporttest.Answer(503, string(SDK().Unavailable)), 1)
	pod := corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: "web-0", Namespace: "default", ResourceVersion: "7"},
	}
	var got corev1.Pod
	if err := client(t, server.URL).Put().Namespace("default").Resource("pods").Name("web-0").Body(&pod).Do(t.Context()).Into(&got); err != nil {
		t.Fatal(err)
	}
	requests := server.Requests()
	if len(requests) != 2 || !bytes.Equal(requests[0].Body, requests[1].Body) || got.ResourceVersion != "7" {
		t.Errorf("%d attempts, the pod is %v, want 2 of the same", len(requests), got.ObjectMeta)
	}
}

func TestFaultyConfig(t *testing.T) {
	t.Parallel()
	policy := rig.Policy()
	policy.MaxAttempts = -1
	config := &rest.Config{}
	if err := Wrap(config, transport.Config{Policy: policy}); err == nil || config.WrapTransport != nil {
		t.Errorf("error %v, and the config is changed: %v; want an error and no change", err, config.WrapTransport != nil)
	}
}

// TestBrokenConnection: client-go repeats a GET on its own, without asking whether the error is marked.
func TestBrokenConnection(t *testing.T) {
	t.Parallel()
	server := transporttest.NewServer(SDK().Handler)
	defer server.Close()
	server.FailNext(transporttest.Reset, 100)
	get := func(retries int) int {
		before := server.Total()
		err := client(t, server.URL).Get().Namespace("default").Resource("pods").Name("web-0").MaxRetries(retries).Do(t.Context()).Error()
		if err == nil {
			t.Error("no error")
		}
		return server.Total() - before
	}
	if got := get(0); got != 2 {
		t.Errorf("%d attempts with MaxRetries(0), want 2", got)
	}
	if got := get(1); got != 4 {
		t.Errorf("%d attempts with MaxRetries(1), want 4: two calls of two", got)
	}
}

// TestWatch: events pass through as they come.
func TestWatch(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	seen := make(chan struct{})
	server := transporttest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for _, name := range []string{"web-0", "web-1"} {
			pod, err := json.Marshal(corev1.Pod{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}, ObjectMeta: metav1.ObjectMeta{Name: name},
			})
			if err != nil {
				t.Error(err)
			}
			_ = json.NewEncoder(w).Encode(metav1.WatchEvent{Type: string(watch.Added), Object: runtime.RawExtension{Raw: pod}})
			_ = http.NewResponseController(w).Flush()
			select {
			case <-seen: // the next one comes only after this one was seen
			case <-r.Context().Done():
				return
			}
		}
	}))
	defer server.Close()
	server.AnswerNext(transporttest.Answer(503, string(SDK().Unavailable)), 1)
	w, err := client(t, server.URL).Get().Namespace("default").Resource("pods").
		VersionedParams(&metav1.ListOptions{Watch: true}, metav1.ParameterCodec).Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	for _, want := range []string{"web-0", "web-1"} {
		select {
		case event := <-w.ResultChan():
			if pod, ok := event.Object.(*corev1.Pod); !ok || pod.Name != want {
				t.Fatalf("got %v, want %s", event, want)
			}
			seen <- struct{}{}
		case <-ctx.Done():
			t.Fatal("no event")
		}
	}
	if got := server.Total(); got != 2 {
		t.Errorf("%d attempts, want 2", got)
	}
}
