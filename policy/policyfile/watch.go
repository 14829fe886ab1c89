package policyfile

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"reflect"
	"time"

	"github.com/steadytrip/steadytrip/policy"
)

// Watch keeps a program's policy what the file at path says: it looks at the file, at once and then at every interval, and
// calls apply with a set that differs from the last one. It blocks until ctx ends, and starts no goroutine:
//
//	go policyfile.Watch(ctx, path, 5*time.Second, shared.SetPolicy, report) // a *transport.Shared
//
// The first look applies the set whatever the program started with; a program that must not start with a bad file calls [Load] first.
// After that a change is applied when two looks in a row have seen it, so that a file which is just being written is not read
// by half: one to two intervals after it was made. It does not matter how the file is changed: written in place, replaced by another, or
// behind a symbolic link that is turned, as Kubernetes does with its ConfigMaps. A change that means the same, such as
// another comment, is not applied.
//
// As long as the file is missing, cannot be read, or is refused by [Parse] or by apply, the last set stays in force, and report gets
// the reason, once until it changes. What apply refused is not tried again before the file changes.
//
// Most looks ask only for the file's time, size and identity. The content is read if one of these is another,
// or if the file is younger than two seconds, when its clock may not tell two changes apart; a hash says whether it has changed.
//
// every of 0 or less is 5 s. apply and report are called one at a time, from the goroutine of Watch, which waits for them;
// what apply gets is its own. report may be nil.
func Watch(ctx context.Context, path string, every time.Duration, apply func(policy.Set) error, report func(error)) {
	if every <= 0 {
		every = 5 * time.Second
	}
	if report == nil {
		report = func(error) {}
	}
	w := watcher{path: path, apply: apply, report: report, open: readFile}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for ctx.Err() == nil {
		w.look()
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// watcher is what is known of a file from one look to the next.
type watcher struct {
	path   string
	apply  func(policy.Set) error
	report func(error)
	open   func(path string) ([]byte, error)

	info    os.FileInfo // of the content that was read last; nil if it has to be read again
	last    look        // what was seen last
	settled look        // what was seen and dealt with
	applied *policy.Set
}

// look is what a look at the file saw: its content, or why there is none. The zero value has seen nothing.
type look struct {
	sum     [sha256.Size]byte
	trouble string
}

// young is how far apart two changes have to be for the clock of a file system to tell them apart.
const young = 2 * time.Second

func (w *watcher) look() {
	data, same, err := w.read()
	if same {
		return
	}
	seen := look{sum: sha256.Sum256(data)}
	if err != nil {
		seen = look{trouble: err.Error()}
	}
	first, again := w.last == look{}, w.last == seen
	w.last = seen
	if !first && !again || w.settled == seen {
		return
	}
	w.settled = seen
	if err == nil {
		err = w.deal(data)
	}
	if err != nil {
		w.report(err)
	}
}

// read returns the content of the file, unless it is certainly the same as the one that has been dealt with.
func (w *watcher) read() (data []byte, same bool, err error) {
	before := w.info
	w.info = nil
	info, err := os.Stat(w.path)
	switch {
	case err != nil:
		return nil, false, fmt.Errorf("policyfile: %w", err)
	case !info.Mode().IsRegular():
		return nil, false, fmt.Errorf("policyfile: %s is no file: want one, or a link to one", w.path)
	case w.last == w.settled && before != nil && os.SameFile(before, info) &&
		before.ModTime().Equal(info.ModTime()) && before.Size() == info.Size():
		w.info = before
		return nil, true, nil
	}
	if data, err = w.open(w.path); err == nil && time.Since(info.ModTime()) > young {
		w.info = info
	}
	return data, false, err
}

// deal applies what the file says, if that is another set.
func (w *watcher) deal(data []byte) error {
	set, err := Parse(w.path, data)
	if err != nil || w.applied != nil && reflect.DeepEqual(set, *w.applied) {
		return err
	}
	frozen, err := policy.New(set)
	if err != nil {
		return err
	}
	if err := w.apply(frozen.Set()); err != nil {
		return fmt.Errorf("policyfile: %s is not applied: %w", w.path, err)
	}
	w.applied = &set
	return nil
}
