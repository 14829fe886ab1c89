package policyfile

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/steadytrip/steadytrip/policy"
)

func TestWatch(t *testing.T) {
	defer goleak.VerifyNone(t)
	path := filepath.Join(t.TempDir(), "policy.yaml")
	write(t, path, attempts(1))
	for _, every := range []time.Duration{time.Minute, 0} {
		synctest.Test(t, func(t *testing.T) {
			interval := every
			if every == 0 {
				interval = 5 * time.Second
			}
			var r recorder
			w := r.watch(path)
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				Watch(ctx, path, every, w.apply, w.report)
			}()
			synctest.Wait()
			r.expect(t, "at once", []int{1})
			write(t, path, attempts(2))
			time.Sleep(interval - time.Nanosecond)
			synctest.Wait()
			r.expect(t, "before the second look", []int{1})
			time.Sleep(interval)
			synctest.Wait()
			r.expect(t, "before the third look", []int{1})
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			r.expect(t, "after the third look", []int{1, 2})
			write(t, path, "]")
			time.Sleep(2 * interval)
			synctest.Wait()
			r.expect(t, "a bad file", []int{1, 2}, "policy.yaml:1:1: ")
			cancel()
			synctest.Wait()
			select {
			case <-ended:
			default:
				t.Error("Watch goes on after its context has ended")
			}
			write(t, path, attempts(1))
		})
	}
}

func TestWatchNeedsNobodyToReportTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		Watch(ctx, filepath.Join(t.TempDir(), "none.yaml"), time.Second, func(policy.Set) error {
			t.Error("a set is applied that is not there")
			return nil
		}, nil)
		if got := time.Since(begin); got != time.Minute {
			t.Errorf("returned after %s, want %s", got, time.Minute)
		}
	})
}

func TestWatchDoesNotLookAfterItsContextHasEnded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	write(t, path, attempts(1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var r recorder
	Watch(ctx, path, time.Hour, r.watch(path).apply, nil)
	r.expect(t, "an ended context", nil)
}
