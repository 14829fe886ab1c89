package report

import (
	"context"
	"flag"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var shots = flag.String("shots", "", "write pictures of the reports into this folder")

// browser returns a Chromium without a window, or skips the test if none is installed.
func browser(t *testing.T) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("no browser is installed: want chromium, chromium-browser or google-chrome in PATH (Debian: apt-get install chromium)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WSURLReadTimeout(time.Minute))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium has none for root
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return ctx
}

// watched is what a tab complained of, and what it asked for.
type watched struct {
	mu         sync.Mutex
	complaints []string
	requests   []string
}

// see is called with everything that happens in the tab.
func (w *watched) see(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		w.complaints = append(w.complaints, text)
	case *runtime.EventConsoleAPICalled:
		for _, arg := range e.Args {
			w.complaints = append(w.complaints, fmt.Sprintf("console.%s: %s", e.Type, arg.Value))
		}
	case *log.EventEntryAdded:
		w.complaints = append(w.complaints, e.Entry.Text)
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, "data:") {
			w.requests = append(w.requests, e.Request.URL)
		}
	}
}

// drawn is what a browser says of a chart.
type drawn struct {
	ID            string
	Width, Height float64
	Shapes, Texts int
	Lines         int // that are as long as a line of data
}

const look = `[...document.querySelectorAll('.chart')].map((box) => {
	const svg = box.querySelector('svg');
	const size = svg ? svg.getBoundingClientRect() : {width: 0, height: 0};
	const paths = svg ? [...svg.querySelectorAll('path')] : [];
	return {ID: box.id, Width: size.width, Height: size.height, Shapes: paths.length, Texts: svg ? svg.querySelectorAll('text').length : 0,
		Lines: paths.filter((p) => p.getTotalLength() > 5).length};
})`

func TestABrowserShowsTheReport(t *testing.T) {
	ctx := browser(t)
	for _, c := range samples(t) {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "report.html")
			if err := os.WriteFile(file, []byte(write(t, c.Report)), 0o600); err != nil {
				t.Fatal(err)
			}
			address := (&url.URL{Scheme: "file", Path: filepath.ToSlash(file)}).String()
			tab, cancel := chromedp.NewContext(ctx)
			defer cancel()
			var w watched
			if err := chromedp.Listen(tab, w.see); err != nil {
				t.Fatal(err)
			}
			if _, err := chromedp.Call(tab, network.Enable, network.EnableParams{}); err != nil {
				t.Fatal(err)
			}
			for _, view := range []struct {
				name, scheme string
				width        int64
			}{{"wide", "light", 1280}, {"narrow", "light", 400}, {"dark", "dark", 1280}} {
				if view.name == "dark" && c.name != "outage" && *shots == "" {
					continue // one is enough to know that the colors are found
				}
				media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: view.scheme}}}
				if _, err := chromedp.Call(tab, emulation.SetEmulatedMedia, media); err != nil {
					t.Fatal(err)
				}
				if err := chromedp.Do(tab, chromedp.EmulateViewport(view.width, 900), chromedp.Navigate(address)); err != nil {
					t.Fatal(err)
				}
				charts, err := chromedp.Run(tab, chromedp.Evaluate[[]drawn](look))
				if err != nil {
					t.Fatal(err)
				}
				overflow, err := chromedp.Run(tab, chromedp.Evaluate[int](`document.documentElement.scrollWidth - window.innerWidth`))
				if err != nil {
					t.Fatal(err)
				}
				if len(charts) != c.charts {
					t.Errorf("%s: got %d charts, want %d", view.name, len(charts), c.charts)
				}
				for _, got := range charts {
					if got.Width < float64(view.width)/2 || got.Height < 100 || got.Shapes < 10 || got.Lines < 5 || got.Texts < 4 {
						t.Errorf("%s: chart is not drawn: %+v", view.name, got)
					}
				}
				if overflow > 0 {
					t.Errorf("%s: the page is %d pixels wider than the window", view.name, overflow)
				}
				picture(tab, t, c.name+"-"+view.name)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			if len(w.complaints) > 0 {
				t.Errorf("the browser complains: %q", w.complaints)
			}
			for _, got := range w.requests {
				if got != address {
					t.Errorf("the page asks for %s", got)
				}
			}
			if len(w.requests) == 0 {
				t.Error("no request was seen, not even that for the page")
			}
		})
	}
}

// picture writes a picture of the whole page, if somebody asked for it.
func picture(tab context.Context, t *testing.T, name string) {
	t.Helper()
	if *shots == "" {
		return
	}
	save := func(name string, take chromedp.Action[[]byte]) {
		data, err := chromedp.Run(tab, take)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*shots, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	save(name+".png", chromedp.FullScreenshot(100))
	if strings.HasSuffix(name, "-wide") {
		save(name+".pdf", chromedp.PrintToPDF())
	}
}
