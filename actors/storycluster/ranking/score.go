package ranking

import "math"

// The constants of the formulas; hours.
const (
	massHalf = 12.0
	fastTau  = 1.0
	slowTau  = 6.0
	youngest = 1.0 / 3 // to fast, an age below 20 minutes counts as 20
	unknown  = 2.0     // to slow, an age below two hours counts as two: see DECISIONS.md
)

// Scores are the figures of a story at one time.
type Scores struct {
	Overall      float64 // 0 to 100
	Acceleration float64 // 0 to 100; 50 is steady
	Velocity     float64 // articles an hour, weighed, over the last hour or so
	Mass         float64
	Publishers   int // distinct, of the last 24 h
}

// few publishers hold the acceleration at steady and a little more: one outlet
// that posts a hundred near-copies is no burst.
const (
	fewPublishers   = 3
	fewAcceleration = 60.0
)

// Scores are the story's at the time that it was advanced to.
//
// fast and slow are rates of articles an hour. A young story has had no time
// to fill them, so each is divided by the share of its memory that the age
// covers; a story in its first two hours is compared with what it would be if
// it had been that for two hours. z is their difference in standard deviations: a Poisson stream of
// rate s, smoothed with τ, varies by s/2τ.
func (s *Story) Scores() Scores {
	age := max(hours(s.Now-s.First), youngest)
	fast := s.Fast / (1 - math.Exp(-age/fastTau))
	slow := s.Slow / (1 - math.Exp(-max(age, unknown)/slowTau))
	z := (fast - slow) / math.Sqrt(slow/(2*fastTau)+0.05)
	f := Scores{Velocity: fast, Mass: s.Mass, Publishers: len(s.Seen), Acceleration: percent(sigmoid(z / 1.5))}
	if f.Publishers < fewPublishers {
		f.Acceleration = min(f.Acceleration, fewAcceleration)
	}
	idle := max(0, hours(s.Now-s.Last)-6)
	f.Overall = percent(sigmoid(-2.2 + 0.9*math.Log(1+s.Mass) + 0.6*math.Log(1+float64(f.Publishers)) +
		0.5*(f.Acceleration-50)/25 + 0.3*s.Quality - 0.25*idle/6))
	return f
}

// percent is rounded to what anybody reads: the last bits of exponentials
// differ between kinds of machines.
func percent(x float64) float64 { return math.Round(x*10_000) / 100 }

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
