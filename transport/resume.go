package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Resume lets the body of an answer survive the loss of its connection. When the body of a 200 to a GET breaks midway,
// the rest is asked for (RFC 9110, section 14) and the body goes on where it stopped, at most limit times for one body;
// a limit of 0 or less resumes none. It belongs outside of [Retry], in [Config].PerCall, so that asking for the rest
// is a call of its own: retried by the policy, kept away by an open breaker, and told to the hooks.
//
// What the caller reads is one version of the resource, or ends in an error. The request for the rest has Range
// and If-Range, and a 206 (section 15.3.7) is taken only if it has the first answer's validator and Content-Encoding,
// and its Content-Range begins at the byte that is missing, ends at the last one and agrees with the length known so far.
// io.EOF does not come before the number of bytes that ContentLength or Content-Range say; of a resumed body, right after it.
//
// Whatever else comes (a 200, another range, an error) is discarded, and the caller gets the error that
// the body broke with, as it was, also if the context ends meanwhile. It gets the same error at once where nothing is resumed:
//   - The request has a body, a Range, or a condition of its own (section 13.1).
//   - The answer has no strong validator (section 8.8): a strong ETag or, without any ETag and if its length is known,
//     a Last-Modified at least a minute older than its Date (section 8.8.2.2).
//   - The answer has "Accept-Ranges: none", or it was decompressed by the transport.
//   - The request's context has ended, the body was closed, or a [http.MaxBytesReader] inside has cut it off.
//   - No byte is missing: only the end of the message is.
//
// Nothing is buffered or read ahead: the rest is asked for within a Read of the caller's, which lasts as long as that call.
// Close may be called during a Read, also more than once; it ends a Read that waits for the rest, and does not wait for it.
// Status, Header and ContentLength stay those of the first answer; its Trailer has no values if the body was resumed.
// Bytes are counted as they come from the chain inside: whatever decodes bodies in there must set Response.Uncompressed.
func Resume(limit int) Middleware {
	return func(next http.RoundTripper) http.RoundTripper {
		if limit <= 0 {
			return next
		}
		return &resuming{inner{next}, limit}
	}
}

type resuming struct {
	inner
	limit int
}

var _ http.RoundTripper = (*resuming)(nil)

func (r *resuming) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.next.RoundTrip(req)
	if err != nil || resp == nil || !resumable(req, resp) {
		return resp, err
	}
	v := strongValidator(resp.Header)
	if v == (validator{}) || v.etag == "" && resp.ContentLength < 0 {
		return resp, nil
	}
	resp.Body = &resumed{
		resuming: r, req: req, part: resp.Body,
		validator: v, encoding: encodingOf(resp.Header), total: resp.ContentLength,
	}
	return resp, nil
}

// resumable reports whether an answer is of a kind whose rest can be asked for, its validator aside.
func resumable(req *http.Request, resp *http.Response) bool {
	if req.Method != http.MethodGet && req.Method != "" || req.Body != nil && req.Body != http.NoBody {
		return false
	}
	if resp.StatusCode != http.StatusOK || resp.ContentLength == 0 || resp.Uncompressed {
		return false
	}
	if resp.Body == nil || resp.Body == http.NoBody {
		return false
	}
	if _, upgraded := resp.Body.(io.Writer); upgraded {
		return false
	}
	for _, ranges := range resp.Header["Accept-Ranges"] {
		if strings.EqualFold(strings.TrimSpace(ranges), "none") {
			return false
		}
	}
	for name := range req.Header {
		switch http.CanonicalHeaderKey(name) {
		case "Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since":
			return false
		}
	}
	return true
}

// resumed is a body that may be made of several answers. Only Read touches what is not guarded.
type resumed struct {
	*resuming
	req       *http.Request // the caller's
	validator validator
	encoding  string

	total  int64 // the length of the whole; negative as long as it is unknown
	offset int64 // how much was delivered
	asks   int   // how often the rest was asked for
	cause  error // what the last part broke with; nil for the first part
	broken bool  // the rest has to be asked for
	end    error // what every further Read returns; nil while the body goes on

	mu     sync.Mutex // guards the rest; not held during a Read or a RoundTrip
	part   io.ReadCloser
	cancel context.CancelFunc // of the part's request; nil for the first part and when the body has ended
	closed bool
}

// Read reads from the part at hand, and from the next one if that breaks.
func (b *resumed) Read(p []byte) (int, error) {
	for {
		if b.broken {
			b.resume()
		}
		if b.end != nil {
			return 0, b.end
		}
		n, err := b.part.Read(p)
		b.offset += int64(n)
		if b.total >= 0 {
			missing := b.total - b.offset
			if b.cause != nil && (missing < 0 || missing > 0 && err == io.EOF) {
				// The rest is not what its Content-Range says.
				return n + int(min(missing, 0)), b.finish(b.cause)
			}
			if missing > 0 && err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
		}
		if err == nil {
			return n, nil
		}
		if !b.mends(err) {
			return n, b.finish(err)
		}
		b.cause, b.broken = err, true
		if n > 0 {
			return n, nil
		}
	}
}

// mends reports whether the rest is asked for after this error.
func (b *resumed) mends(err error) bool {
	if err == io.EOF || b.asks == b.limit || b.total >= 0 && b.offset >= b.total { //nolint:errorlint // as readers compare
		return false
	}
	var cutOff *http.MaxBytesError
	return !errors.As(err, &cutOff) && Ended(b.req) == nil
}

// resume replaces the broken part by one that goes on. If that cannot be had, the body has ended with its cause.
func (b *resumed) resume() {
	b.broken, b.end = false, b.cause
	b.asks++
	req, done := b.begin()
	if req == nil {
		return
	}
	defer func() {
		if b.end != nil { // also if the base panicked
			b.release()
		}
	}()
	done()
	resp, err := b.next.RoundTrip(req) //nolint:bodyclose // adopted or discarded
	if resp == nil {
		return
	}
	total, ok := b.continues(resp)
	if err != nil || !ok || !b.adopt(resp.Body) {
		discard(req, resp)
		return
	}
	b.total, b.end = total, nil
}

// begin makes the request for the rest, and a function that ends the broken part. It returns nil if the body is closed.
// Copying under the lock keeps out of the way of a caller that changes its request after Close, as it may.
func (b *resumed) begin() (*http.Request, func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, nil
	}
	part, release := b.part, b.cancel
	ctx, cancel := context.WithCancel(b.req.Context())
	b.part, b.cancel = nil, cancel
	req := b.req.Clone(ctx)
	if req.Header == nil {
		req.Header = make(http.Header)
	}
	req.Header.Set("Range", "bytes="+strconv.FormatInt(b.offset, 10)+"-")
	req.Header.Set("If-Range", b.validator.String())
	return req, func() {
		if release != nil {
			defer release()
		}
		discard(req, &http.Response{Body: part})
	}
}

// continues reports whether an answer has exactly what is missing, of the same version, and the length of the whole.
func (b *resumed) continues(resp *http.Response) (int64, bool) {
	h := resp.Header
	if resp.StatusCode != http.StatusPartialContent || resp.Body == nil || resp.Uncompressed {
		return 0, false
	}
	// A 206 to If-Range may leave Content-Encoding out (RFC 9110, section 15.3.7), but so do servers that compress
	// whole answers alone, under one ETag: nothing would tell the two apart.
	if !b.validator.matches(h) || encodingOf(h) != b.encoding {
		return 0, false
	}
	if kind, _, _ := strings.Cut(h.Get("Content-Type"), ";"); strings.EqualFold(strings.TrimSpace(kind), "multipart/byteranges") {
		return 0, false
	}
	field := h["Content-Range"]
	if len(field) != 1 {
		return 0, false
	}
	_, complete, _ := strings.Cut(field[0], "/")
	total, err := strconv.ParseInt(complete, 10, 64)
	if err != nil || total <= b.offset || b.total >= 0 && total != b.total {
		return 0, false
	}
	if resp.ContentLength >= 0 && resp.ContentLength != total-b.offset {
		return 0, false
	}
	return total, strings.EqualFold(field[0], fmt.Sprintf("bytes %d-%d/%d", b.offset, total-1, total))
}

// adopt makes part the one to read from. It reports false, and leaves it alone, if the body is closed.
func (b *resumed) adopt(part io.ReadCloser) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.part = part
	return true
}

// finish notes what the body ends with.
func (b *resumed) finish(err error) error {
	b.end = err
	b.release()
	return err
}

// release ends the context of the part's request.
func (b *resumed) release() {
	b.mu.Lock()
	cancel := b.cancel
	b.cancel = nil
	b.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// Close ends the part at hand, or the request for the next one. Only the first call does anything.
func (b *resumed) Close() error {
	b.mu.Lock()
	part, closed := b.part, b.closed
	b.closed = true
	b.mu.Unlock()
	if closed {
		return nil
	}
	defer b.release()
	if part == nil {
		return nil
	}
	return part.Close()
}

// validator tells versions of a representation apart, byte for byte. The zero validator cannot.
type validator struct {
	etag     string
	modified string // the Last-Modified; empty if there is an etag
}

// clockDoubt is how much older than the answer a Last-Modified must be to be a strong validator, so that neither
// a second change within the same second nor clocks that disagree can matter.
const clockDoubt = time.Minute

// strongValidator returns the validator that may stand in If-Range (RFC 9110, section 13.1.5).
func strongValidator(h http.Header) validator {
	if tags := h["Etag"]; len(tags) > 0 {
		if len(tags) == 1 && isStrongTag(tags[0]) {
			return validator{etag: tags[0]}
		}
		return validator{}
	}
	times := h["Last-Modified"]
	if len(times) != 1 {
		return validator{}
	}
	modified, err := http.ParseTime(times[0])
	if err != nil {
		return validator{}
	}
	if date, err := http.ParseTime(h.Get("Date")); err != nil || date.Sub(modified) < clockDoubt {
		return validator{}
	}
	return validator{modified: times[0]}
}

// isStrongTag reports whether s is an entity tag of RFC 9110, section 8.8.3, and not a weak one.
func isStrongTag(s string) bool {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return false
	}
	for _, c := range []byte(s[1 : len(s)-1]) {
		if c <= ' ' || c == '"' || c == 0x7f {
			return false
		}
	}
	return true
}

// String is the value of If-Range.
func (v validator) String() string { return v.etag + v.modified }

// matches reports whether a later answer carries the same validator.
func (v validator) matches(h http.Header) bool {
	tags, times := h["Etag"], h["Last-Modified"]
	if v.etag != "" {
		return len(tags) == 1 && tags[0] == v.etag
	}
	return len(tags) == 0 && len(times) == 1 && times[0] == v.modified
}

func encodingOf(h http.Header) string { return strings.Join(h["Content-Encoding"], ",") }
