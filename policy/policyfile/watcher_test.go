package policyfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/steadytrip/steadytrip/policy"
)

// recorder is what a watcher told: the MaxAttempts of the sets it applied, and what it reported.
type recorder struct {
	mu       sync.Mutex
	applied  []int
	reported []string
	refuse   error // what apply answers
	reads    int
}

// watch returns a watcher of path that tells r.
func (r *recorder) watch(path string) *watcher {
	return &watcher{
		path: path,
		apply: func(s policy.Set) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.applied = append(r.applied, s.MaxAttempts)
			clear(s.Profiles) // it is its own
			return r.refuse
		},
		report: func(err error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.reported = append(r.reported, strings.ReplaceAll(err.Error(), filepath.Dir(path)+string(filepath.Separator), ""))
		},
		open: func(path string) ([]byte, error) {
			r.reads++
			return readFile(path)
		},
	}
}

func (r *recorder) expect(t *testing.T, what string, applied []int, reported ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.applied, applied) || !slices.EqualFunc(r.reported, reported, strings.HasPrefix) {
		t.Errorf("%s: got %v applied and %q reported, want %v and %q", what, r.applied, r.reported, applied, reported)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func attempts(n int) string { return fmt.Sprintf("max_attempts: %d\n", n) }

func TestWatcherAppliesWhatTwoLooksInARowHaveSeen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	var r recorder
	w := r.watch(path)
	write(t, path, attempts(1))
	w.look()
	r.expect(t, "the first look", []int{1})
	w.look()
	w.look()
	r.expect(t, "nothing changed", []int{1})

	write(t, path, attempts(2))
	w.look()
	r.expect(t, "a change seen once", []int{1})
	w.look()
	r.expect(t, "seen twice", []int{1, 2})

	write(t, path, "max_att")
	w.look()
	write(t, path, attempts(3))
	w.look()
	r.expect(t, "half a file, and the whole one", []int{1, 2})
	w.look()
	r.expect(t, "the whole one again", []int{1, 2, 3})

	write(t, path, attempts(4))
	w.look()
	write(t, path, attempts(3))
	w.look()
	w.look()
	r.expect(t, "there and back", []int{1, 2, 3})

	write(t, path, "# three\n"+attempts(3))
	w.look()
	w.look()
	r.expect(t, "a change that means the same", []int{1, 2, 3})
}

func TestWatcherKeepsTheLastSetAndSaysWhy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	var r recorder
	w := r.watch(path)
	twice := func(text string) {
		write(t, path, text)
		for range 4 {
			w.look()
		}
	}
	w.look()
	w.look()
	missing := "policyfile: stat policy.yaml: no such file or directory"
	r.expect(t, "no file", nil, missing)

	twice(attempts(1))
	r.expect(t, "a file", []int{1}, missing)

	twice(attempts(0))
	zero := "policy.yaml:1:15: max_attempts is 0: want at least 1"
	r.expect(t, "a bad file", []int{1}, missing, zero)

	twice(attempts(1))
	r.expect(t, "the first one again", []int{1}, missing, zero)

	twice("")
	empty := "policy.yaml:1:1: an empty file"
	r.expect(t, "a file cut to nothing", []int{1}, missing, zero, empty)

	r.refuse = errors.New("not now")
	twice(attempts(2))
	refused := "policyfile: policy.yaml is not applied: not now"
	r.expect(t, "a set that is refused", []int{1, 2}, missing, zero, empty, refused)
	r.refuse = nil
	twice(attempts(2))
	r.expect(t, "the same file is not tried again", []int{1, 2}, missing, zero, empty, refused)
	twice("# again\n" + attempts(2))
	r.expect(t, "a touched one is", []int{1, 2, 2}, missing, zero, empty, refused)

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	w.look()
	r.expect(t, "no file for one look, as while it is replaced", []int{1, 2, 2}, missing, zero, empty, refused)
	w.look()
	r.expect(t, "no file any more", []int{1, 2, 2}, missing, zero, empty, refused, missing)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	w.look()
	w.look()
	r.expect(t, "a folder", []int{1, 2, 2}, missing, zero, empty, refused, missing, "policyfile: policy.yaml is no file")
}

func TestWatcherSeesReplacedFilesAndTurnedLinks(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "policy.yaml")
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	version := func(n int) string { // a folder with a file of the same size and age each
		folder := filepath.Join(dir, fmt.Sprintf("..version_%d", n))
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(folder, "policy.yaml")
		write(t, file, attempts(n))
		if err := os.Chtimes(file, old, old); err != nil {
			t.Fatal(err)
		}
		return file
	}
	var r recorder
	w := r.watch(path)
	rename := func(from string) {
		if err := os.Rename(from, path); err != nil {
			t.Fatal(err)
		}
		w.look()
		w.look()
	}
	rename(version(1))
	rename(version(2))
	r.expect(t, "a file of the same size and age in its place", []int{1, 2})

	// As Kubernetes does: policy.yaml -> ..data/policy.yaml, ..data -> ..version_N, and ..data is turned in one step.
	data := filepath.Join(dir, "..data")
	turn := func(n int) {
		version(n)
		if err := os.Symlink(fmt.Sprintf("..version_%d", n), data+"_tmp"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(data+"_tmp", data); err != nil {
			t.Fatal(err)
		}
	}
	turn(3)
	if err := os.Symlink(filepath.Join("..data", "policy.yaml"), path+"_tmp"); err != nil {
		t.Fatal(err)
	}
	rename(path + "_tmp")
	r.expect(t, "a link in its place", []int{1, 2, 3})
	turn(4)
	w.look()
	w.look()
	r.expect(t, "the link turned", []int{1, 2, 3, 4})
	if err := Write(path, policy.Set{MaxAttempts: 5}); err != nil {
		t.Fatal(err)
	}
	w.look()
	w.look()
	r.expect(t, "a file that Write wrote", []int{1, 2, 3, 4, 5})
}

func TestWatcherReadsOnlyWhatMayHaveChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	var r recorder
	w := r.watch(path)
	age := func(age time.Duration) {
		at := time.Now().Add(-age)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	looks := func(n int) int {
		before := r.reads
		for range n {
			w.look()
		}
		return r.reads - before
	}
	write(t, path, attempts(1))
	age(time.Hour)
	if got := looks(10); got != 1 {
		t.Errorf("an old file: got %d reads in 10 looks, want 1", got)
	}
	age(30 * time.Minute)
	if got := looks(10); got != 1 {
		t.Errorf("a touched file: got %d reads in 10 looks, want 1", got)
	}
	write(t, path, attempts(2))
	age(-time.Minute)
	if got := looks(10); got != 10 {
		t.Errorf("a young file: got %d reads in 10 looks, want 10, since its clock may not tell another change", got)
	}
	age(time.Hour)
	write(t, path, attempts(31))
	age(time.Hour)
	if got := looks(10); got != 2 {
		t.Errorf("an old file with another content: got %d reads in 10 looks, want 2", got)
	}
	r.expect(t, "all in all", []int{1, 2, 31})
	w.open = func(string) ([]byte, error) { return nil, errors.New("broken disk") }
	age(2 * time.Hour)
	w.look()
	w.look()
	r.expect(t, "a file that cannot be read", []int{1, 2, 31}, "broken disk")
}

func TestWatcherSaysAgainThatAFileIsMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	var r recorder
	w := r.watch(path)
	write(t, path, attempts(1))
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	w.look()
	for range 2 {
		for _, names := range [][2]string{{path, path + ".away"}, {path + ".away", path}} {
			if err := os.Rename(names[0], names[1]); err != nil {
				t.Fatal(err)
			}
			w.look()
			w.look()
		}
	}
	missing := "policyfile: stat policy.yaml: no such file or directory"
	r.expect(t, "away and back, twice", []int{1}, missing, missing)
}
