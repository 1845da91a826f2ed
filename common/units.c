/*
 * units.c - see units.h.  An amount is a number and a unit; amount() reads
 * both, with a table of units.
 */
#include "common/units.h"

#include <stddef.h>

#include "common/zone.h"

#define FRACTION_DIGITS 6

struct unit {
	const char *name;
	uint64_t worth;
};

struct number {
	uint64_t whole;
	uint64_t part;  /* of `scale` */
	uint64_t scale; /* a power of ten */
};

static const struct unit rates[] = {
	{ "bit", 1 },
	{ "kbit", 1000 },
	{ "mbit", 1000000 },
	{ "gbit", 1000000000 },
	{ "tbit", 1000000000000 },
	{ NULL, 0 },
};

static const struct unit sizes[] = {
	{ "", 1 },
	{ "B", 1 },
	{ "kB", 1000 },
	{ "KB", 1000 },
	{ "MB", 1000000 },
	{ "GB", 1000000000 },
	{ "TB", 1000000000000 },
	{ "PB", 1000000000000000 },
	{ "KiB", 1ull << 10 },
	{ "MiB", 1ull << 20 },
	{ "GiB", 1ull << 30 },
	{ "TiB", 1ull << 40 },
	{ "PiB", 1ull << 50 },
	{ NULL, 0 },
};

static const struct unit durations[] = {
	{ "ms", 1 },
	{ "s", 1000 },
	{ "m", 60 * 1000 },
	{ "h", 3600 * 1000 },
	{ "d", 24 * 3600 * 1000 },
	{ NULL, 0 },
};

static const struct unit percents[] = { { "%", 10000 }, { NULL, 0 } };
static const struct unit ratios[] = { { "", 1000000 }, { NULL, 0 } };

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The digits at the front of *s. */
static struct str
cut_digits(struct str *s)
{
	struct str digits = { s->p, 0 };

	while (digits.n < s->n && is_digit(s->p[digits.n]))
		digits.n++;
	*s = str_from(*s, digits.n);
	return digits;
}

static bool
cut_number(struct str *s, struct number *out)
{
	struct str part;
	size_t i;

	*out = (struct number){ .scale = 1 };
	if (!str_u64(cut_digits(s), &out->whole))
		return false;
	if (s->n == 0 || s->p[0] != '.')
		return true;
	*s = str_from(*s, 1);
	part = cut_digits(s);
	for (i = 0; i < part.n; i++)
		out->scale *= i < FRACTION_DIGITS ? 10 : 1;
	if (part.n > FRACTION_DIGITS)
		part.n = FRACTION_DIGITS;
	return str_u64(part, &out->part);
}

/* NUMBER * WORTH; the quotient is split so that it can't overflow. */
static bool
multiply(const struct number *number, uint64_t worth, uint64_t *out)
{
	uint64_t part = worth / number->scale * number->part +
	    worth % number->scale * number->part / number->scale;
	uint64_t whole;

	return !__builtin_mul_overflow(number->whole, worth, &whole) &&
	    !__builtin_add_overflow(whole, part, out);
}

static const struct unit *
find_unit(const struct unit *units, struct str name)
{
	const struct unit *u;

	for (u = units; u->name != NULL; u++)
		if (units == rates ? str_ieq(name, str_of(u->name))
				   : str_eqz(name, u->name))
			return u;
	return NULL;
}

/* Cuts one amount off *s: a number and the letters behind it. */
static bool
cut_amount(struct str *s, const struct unit *units, uint64_t *out)
{
	const struct unit *unit;
	struct number number;
	struct str name;

	if (!cut_number(s, &number))
		return false;
	name = (struct str){ s->p, 0 };
	while (name.n < s->n && !is_digit(s->p[name.n]))
		name.n++;
	*s = str_from(*s, name.n);
	unit = find_unit(units, name);
	return unit != NULL && multiply(&number, unit->worth, out);
}

static bool
amount(struct str s, const struct unit *units, uint64_t *out)
{
	uint64_t value;

	if (!cut_amount(&s, units, &value) || s.n > 0)
		return false;
	*out = value;
	return true;
}

bool
units_rate(struct str s, uint64_t *out)
{
	uint64_t bits = 0;

	if (str_eqz(s, "unlimited")) {
		*out = RATE_UNLIMITED;
		return true;
	}
	if (!str_eqz(s, "0") && !str_eqz(s, "off") && !amount(s, rates, &bits))
		return false;
	*out = bits / 8;
	return true;
}

bool
units_size(struct str s, uint64_t *out)
{
	return amount(s, sizes, out);
}

bool
units_duration(struct str s, uint64_t *out)
{
	uint64_t sum = 0, piece;

	if (s.n == 0)
		return false;
	if (str_eqz(s, "0"))
		s.n = 0;
	while (s.n > 0)
		if (!cut_amount(&s, durations, &piece) ||
		    __builtin_add_overflow(sum, piece, &sum))
			return false;
	*out = sum;
	return true;
}

bool
units_seconds(struct str s, uint64_t *out)
{
	uint64_t ms;

	if (!units_duration(s, &ms) || ms % 1000 != 0)
		return false;
	*out = ms / 1000;
	return true;
}

bool
units_percent(struct str s, uint64_t *out)
{
	return amount(s, percents, out);
}

bool
units_ratio(struct str s, uint64_t *out)
{
	uint64_t value;

	if (!amount(s, ratios, &value) || value > 1000000)
		return false;
	*out = value;
	return true;
}

bool
units_time(struct str s, uint64_t *out)
{
	uint64_t hours, minutes;

	if (s.n != 5 || s.p[2] != ':' ||
	    !str_u64((struct str){ s.p, 2 }, &hours) ||
	    !str_u64((struct str){ s.p + 3, 2 }, &minutes))
		return false;
	if (minutes > 59 || hours * 60 + minutes > 24 * 60)
		return false;
	*out = hours * 60 + minutes;
	return true;
}

static bool
find_day(struct str s, unsigned *out)
{
	static const char names[] = "montuewedthufrisatsun";
	unsigned i;

	for (i = 0; i < 7; i++)
		if (str_ieq(s, (struct str){ names + 3 * i, 3 })) {
			*out = i;
			return true;
		}
	return false;
}

/* "mon" or "fri-mon". */
static bool
days_range(struct str s, uint64_t *days)
{
	struct str first = s, last = s;
	unsigned day, end;
	size_t dash = str_index(s, '-');

	if (dash < s.n) {
		first.n = dash;
		last = str_from(s, dash + 1);
	}
	if (!find_day(first, &day) || !find_day(last, &end))
		return false;
	for (; day != end; day = (day + 1) % 7)
		*days |= 1u << day;
	*days |= 1u << end;
	return true;
}

bool
units_days(struct str s, uint64_t *out)
{
	uint64_t days = 0;
	struct str piece;

	if (str_ieq(s, STR("all"))) {
		*out = 0x7f;
		return true;
	}
	while (str_cut(&s, ',', &piece))
		if (!days_range(str_trim(piece), &days))
			return false;
	*out = days;
	return days != 0;
}

bool
units_bool(struct str s, uint64_t *out)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{ "on", true },
		{ "off", false },
		{ "true", true },
		{ "false", false },
		{ "yes", true },
		{ "no", false },
	};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_ieq(s, str_of(words[i].word))) {
			*out = words[i].value;
			return true;
		}
	return false;
}

/* ---- moments ------------------------------------------------------------ */

/* Cuts N digits off *s: a number from MIN to MAX. */
static bool
cut_field(struct str *s, size_t n, int min, int max, int *out)
{
	int value = 0;

	if (s->n < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!is_digit(s->p[i]))
			return false;
		value = value * 10 + (s->p[i] - '0');
	}
	*s = str_from(*s, n);
	*out = value;
	return value >= min && value <= max;
}

static bool
cut_byte(struct str *s, const char *either)
{
	for (; *either != '\0'; either++)
		if (s->n > 0 && s->p[0] == *either) {
			*s = str_from(*s, 1);
			return true;
		}
	return false;
}

static bool
cut_date(struct str *s, int64_t *days)
{
	int64_t year_again;
	int year, month, day, m, d;

	if (!cut_field(s, 4, 1970, 9999, &year) || !cut_byte(s, "-") ||
	    !cut_field(s, 2, 1, 12, &month) || !cut_byte(s, "-") ||
	    !cut_field(s, 2, 1, 31, &day))
		return false;
	*days = zone_days(year, month, day);
	zone_date(*days, &year_again, &m, &d);
	return m == month && d == day; /* not the 31st of April */
}

static bool
cut_clock(struct str *s, int64_t *seconds)
{
	int h, m, sec;

	if (!cut_field(s, 2, 0, 23, &h) || !cut_byte(s, ":") ||
	    !cut_field(s, 2, 0, 59, &m) || !cut_byte(s, ":") ||
	    !cut_field(s, 2, 0, 60, &sec))
		return false;
	*seconds = h * 3600 + m * 60 + sec;
	if (!cut_byte(s, "."))
		return true;
	return cut_digits(s).n > 0;
}

/* Z, or what the clock was ahead of UTC. */
static bool
cut_offset(struct str *s, int64_t *seconds)
{
	bool is_behind = s->n > 0 && s->p[0] == '-';
	int h, m;

	*seconds = 0;
	if (cut_byte(s, "Zz"))
		return true;
	if (!cut_byte(s, "+-") || !cut_field(s, 2, 0, 23, &h) ||
	    !cut_byte(s, ":") || !cut_field(s, 2, 0, 59, &m))
		return false;
	*seconds = (is_behind ? -1 : 1) * (h * 3600 + m * 60);
	return true;
}

bool
units_moment(struct str s, int64_t *out)
{
	int64_t days, seconds, offset, moment;

	if (!cut_date(&s, &days) || !cut_byte(&s, "Tt ") ||
	    !cut_clock(&s, &seconds) || !cut_offset(&s, &offset) || s.n > 0)
		return false;
	moment = days * 86400 + seconds - offset;
	if (moment <= 0)
		return false;
	*out = moment;
	return true;
}
