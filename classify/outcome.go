package classify

import (
	"net/http"
	"time"
)

// Outcome is what happened in one exchange, as plain data: the answer or the error, and what is known around it.
// A response has a Status and no Err; an error has an Err and no Status.
type Outcome struct {
	Method string // the request's method; empty means GET
	Host   string // host or host:port of the request's URL: whose answer it is
	Path   string // the request's URL path

	Status int         // HTTP status, 0 if there was no answer
	Header http.Header // the answer's header; read, never changed
	Body   []byte      // the first bytes of the body as they came over the wire, still compressed if the answer is; may be cut
	Time   time.Time   // when the answer arrived; zero if unknown

	Err        error // the transport's error, nil if there was an answer
	ContextErr error // what the caller's context said when the exchange ended; nil if it was live
	RequestErr error // why the request could not be sent by any transport; nil if nothing is wrong with it
}

// Classifier turns an outcome into a verdict. It is a pure function: it does not block, read, keep or change anything,
// and it may be called by many goroutines at once. The zero verdict means "no opinion".
type Classifier interface {
	Classify(o Outcome) Verdict
}

// ClassifierFunc lets a function serve as a [Classifier].
type ClassifierFunc func(o Outcome) Verdict

// Classify calls f.
func (f ClassifierFunc) Classify(o Outcome) Verdict { return f(o) }

// First asks the classifiers in turn and returns the first opinion. Nil classifiers have none.
func First(classifiers ...Classifier) Classifier {
	f := &first{quiet: true}
	for _, c := range classifiers {
		switch c := c.(type) {
		case nil:
		case *first:
			f.list = append(f.list, c.list...)
			f.quiet = f.quiet && c.quiet
		default:
			f.list = append(f.list, c)
			f.quiet = f.quiet && failuresOnly(c)
		}
	}
	return f
}

type first struct {
	list  []Classifier
	quiet bool // none of them has an opinion on answers below 400
}

func (f *first) Classify(o Outcome) Verdict {
	for _, c := range f.list {
		if v := c.Classify(o); v.Kind != Unclassified {
			return v
		}
	}
	return Verdict{}
}

// failuresOnly reports whether c is known to have no opinion on answers below 400. Success is what most exchanges are:
// it pays not to ask.
func failuresOnly(c Classifier) bool {
	switch c := c.(type) {
	case *first:
		return c.quiet
	case *byHost:
		return c.quiet
	case NetErrors, Provider, *Alter:
		return true
	}
	return false
}

// Default returns the classifier for clients that talk to any HTTP API: [NetErrors], then [Provider].
// It knows nothing of Alter; see [ForAlter].
func Default() Classifier { return defaultClassifier }

var defaultClassifier = First(NetErrors{}, Provider{})
