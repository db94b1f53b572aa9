package dev.gatun.ops.sequence;

import static dev.gatun.ops.sequence.AttentionSteps.F;

import java.lang.foreign.MemorySegment;

/** The steps of sums that fade in plain loops, for where the Vector API is missing or not warm yet. */
final class DecayPlain implements DecaySteps {

    static final DecaySteps STEPS = new DecayPlain();

    private DecayPlain() {}

    @Override
    public void turn(MemorySegment s, long from, int rows, int columns, long to) {
        for (int r = 0; r < rows; r++) {
            for (int d = 0; d < columns; d++) {
                s.set(F, to + d * ROW + r * 4L, s.get(F, from + r * ROW + d * 4L));
            }
        }
    }

    @Override
    public void weights(MemorySegment s, long g, long input, long level, int n, long tile) {
        for (int t = 0; t < n; t++) {
            float sum = 0;
            float top = s.get(F, level + t * 4L);
            for (int i = n - 1; i > t; i--) {
                s.set(F, tile + i * ROW + t * 4L, 0);
            }
            for (int i = t; i >= 0; i--) {
                s.set(F, tile + i * ROW + t * 4L, AttentionPlain.exp(sum + s.get(F, input + i * 4L) - top));
                sum += s.get(F, g + i * 4L);
            }
        }
    }

    @Override
    public void rise(MemorySegment s, long g, long input, int n, long level) {
        for (int t = 0; t < n; t++) {
            float sum = 0;
            float top = s.get(F, level + t * 4L);
            for (int i = t; i >= 0; i--) {
                top = Math.max(top, sum + s.get(F, input + i * 4L));
                sum += s.get(F, g + i * 4L);
            }
            s.set(F, level + t * 4L, top);
        }
    }

    @Override
    public void weigh(MemorySegment s, long tile, long lift, long weight, int n) {
        for (int i = 0; i < n; i++) {
            for (int t = i & -8; t < n; t++) { // products look at eight rows at a time
                long at = i * ROW + t * 4L;
                s.set(F, tile + at, (s.get(F, tile + at) + s.get(F, lift + t * 4L)) * s.get(F, weight + at));
            }
        }
    }

    @Override
    public void sums(MemorySegment s, long tile, int n, long to) {
        for (int t = 0; t < n; t++) {
            float sum = 0;
            for (int i = 0; i <= t; i++) {
                sum += s.get(F, tile + i * ROW + t * 4L);
            }
            s.set(F, to + t * 4L, sum);
        }
    }

    @Override
    public void crossing(MemorySegment s, long tile, long slope, long lift, int n, long to) {
        for (int j = 0; j < n; j++) {
            float sum = 0;
            for (int i = 0; i < j; i++) {
                for (int t = j; t < n; t++) {
                    long at = i * ROW + t * 4L;
                    sum += s.get(F, tile + at) * (s.get(F, slope + at) + s.get(F, lift + t * 4L));
                }
            }
            s.set(F, to + j * 4L, sum);
        }
    }

    @Override
    public void exp(MemorySegment s, long x, int n) {
        for (int i = 0; i < n; i++) {
            s.set(F, x + i * 4L, AttentionPlain.exp(Math.min(s.get(F, x + i * 4L), 87.9f)));
        }
    }

    @Override
    public void dots(MemorySegment s, long a, long b, long bRow, int rows, int width, long to) {
        for (int r = 0; r < rows; r++) {
            float sum = 0;
            for (int d = 0; d < width; d++) {
                sum += s.get(F, a + r * ROW + column(d)) * s.get(F, b + r * bRow + column(d));
            }
            s.set(F, to + r * 4L, sum);
        }
    }

    @Override
    public void blend(MemorySegment s, long c, long keep, long weight, long x, long xRow, int rows, int width) {
        for (int r = 0; r < rows; r++) {
            float k = s.get(F, keep + r * 4L);
            float w = s.get(F, weight + r * 4L);
            for (int d = 0; d < width; d++) {
                long at = c + r * ROW + column(d);
                s.set(F, at, k * s.get(F, at) + w * s.get(F, x + r * xRow + column(d)));
            }
        }
    }

    @Override
    public void gather(MemorySegment s, long x, long weight, int rows, int width, long to) {
        for (int r = 0; r < rows; r++) {
            float w = s.get(F, weight + r * 4L);
            for (int d = 0; d < width; d++) {
                s.set(F, to + column(d), s.get(F, to + column(d)) + w * s.get(F, x + r * ROW + column(d)));
            }
        }
    }

    @Override
    public void advance(MemorySegment s, MemorySegment in, long inAt, MemorySegment out, long outAt, long keep, long write, long read, long v, long y,
            int rows, int width) {
        for (int d = 0; d < width; d++) {
            s.set(F, y + d * 4L, 0);
        }
        for (int r = 0; r < rows; r++) {
            float kept = s.get(F, keep + r * 4L);
            float written = s.get(F, write + r * 4L);
            float asked = s.get(F, read + r * 4L);
            for (int d = 0; d < width; d++) {
                long at = ((long) r * width + d) * 4;
                float next = kept * in.get(F, inAt + at) + written * s.get(F, v + d * 4L);
                out.set(F, outAt + at, next);
                s.set(F, y + d * 4L, s.get(F, y + d * 4L) + asked * next);
            }
        }
    }

    private static long column(int d) {
        return d / SIDE * BLOCK + d % SIDE * 4L;
    }
}
