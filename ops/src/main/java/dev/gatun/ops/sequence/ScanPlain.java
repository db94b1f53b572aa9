package dev.gatun.ops.sequence;

import java.lang.foreign.MemorySegment;

/** The steps of the selective scan in plain loops, for where the Vector API is missing or not warm yet. */
final class ScanPlain implements ScanSteps {

    static final ScanSteps STEPS = new ScanPlain();

    private static final int SIDE = 16;
    private static final long ROW = SIDE * 4L;
    private static final long ARRAY = TIMES * ROW;

    private ScanPlain() {}

    @Override
    public int side() {
        return SIDE;
    }

    /** {@code e^x}: the power of 2 that x log2(e) is. */
    private static float exp(float x) {
        return exp2(x * LOG2E);
    }

    private static float exp2(float x) {
        float t = x < -127f ? -127f : x > 128f ? 128f : x;
        float z = t + MAGIC;
        float f = t - (z - MAGIC);
        float e = 1f + f * (E1 + f * (E2 + f * (E3 + f * (E4 + f * (E5 + f * E6)))));
        return e * Float.intBitsToFloat(Float.floatToRawIntBits(z) << 23);
    }

    private static float sigmoid(float x) {
        float e = exp(-Math.abs(x));
        return (x < 0 ? e : 1) / (1 + e);
    }

    @Override
    public void load(MemorySegment x, long at, long rowBytes, int rows, int width, MemorySegment s, long add, long addBytes, long to, long toBytes) {
        int padded = Math.ceilDiv(width, SIDE) * SIDE;
        for (int r = 0; r < rows; r++) {
            for (int i = 0; i < padded; i++) {
                float value = i < width ? x.get(F, at + r * rowBytes + i * 4L) : 0;
                long lane = i % SIDE * 4L;
                s.set(F, to + i / SIDE * toBytes + r * ROW + lane, value + s.get(F, add + i / SIDE * addBytes + lane));
            }
        }
    }

    @Override
    public void store(MemorySegment s, long from, long fromBytes, int rows, int width, MemorySegment x, long at, long rowBytes) {
        for (int r = 0; r < rows; r++) {
            for (int i = 0; i < width; i += SIDE) {
                MemorySegment.copy(s, from + i / SIDE * fromBytes + r * ROW, x, at + r * rowBytes + i * 4L, Math.min(SIDE, width - i) * 4L);
            }
        }
    }

    @Override
    public void softplus(MemorySegment s, long x, long y, int n) {
        for (int i = 0; i < n; i++) {
            float v = s.get(F, x + i * 4L);
            s.set(F, y + i * 4L, Math.max(v, 0) + (float) Math.log1p(exp(-Math.abs(v))));
        }
    }

    @Override
    public void multiply(MemorySegment s, long a, long b, long y, int n) {
        for (int i = 0; i < n; i++) {
            s.set(F, y + i * 4L, s.get(F, a + i * 4L) * s.get(F, b + i * 4L));
        }
    }

    @Override
    public void scale(MemorySegment s, long row, long x, long y, int rows) {
        for (int r = 0; r < rows; r++) {
            for (int i = 0; i < SIDE; i++) {
                long at = r * ROW + i * 4L;
                s.set(F, y + at, s.get(F, row + i * 4L) * s.get(F, x + at));
            }
        }
    }

    @Override
    public void gate(MemorySegment s, long x, long z, long y, int n) {
        for (int i = 0; i < n; i++) {
            float v = s.get(F, z + i * 4L);
            s.set(F, y + i * 4L, s.get(F, x + i * 4L) * (v * sigmoid(v)));
        }
    }

    @Override
    public void gateSlope(MemorySegment s, long x, long z, long y, int n) {
        for (int i = 0; i < n; i++) {
            float v = s.get(F, z + i * 4L);
            float slope = sigmoid(v) * (1 + v * sigmoid(-v));
            s.set(F, x + i * 4L, s.get(F, x + i * 4L) * s.get(F, y + i * 4L) * slope);
        }
    }

    @Override
    public void states(MemorySegment s, long a2, long state, long b, long c, int rows) {
        for (int i = 0; i < SIDE; i++) {
            long lane = i * 4L;
            float a = s.get(F, a2 + lane);
            float h = s.get(F, state + lane);
            s.set(F, H * ARRAY + lane, h);
            for (int r = 0; r < rows; r++) {
                long at = r * ROW + lane;
                float e = exp2(a * s.get(F, DELTA * ARRAY + at));
                h = e * h + s.get(F, b + r * 4L) * s.get(F, W * ARRAY + at);
                s.set(F, E * ARRAY + at, e);
                s.set(F, H * ARRAY + at + ROW, h);
                s.set(F, Y * ARRAY + at, s.get(F, Y * ARRAY + at) + s.get(F, c + r * 4L) * h);
            }
            s.set(F, state + lane, h);
        }
    }

    @Override
    public void adjoints(MemorySegment s, long aAt, long lambda, long da, long b, long c, int rows, MemorySegment sums, long db, long dc) {
        for (int r = rows - 1; r >= 0; r--) {
            float in = s.get(F, b + r * 4L);
            float out = s.get(F, c + r * 4L);
            float ofB = 0;
            float ofC = 0;
            for (int i = 0; i < SIDE; i++) {
                long lane = i * 4L;
                long at = r * ROW + lane;
                float g = s.get(F, G * ARRAY + at);
                float l = s.get(F, lambda + lane) + out * g;
                ofC += g * s.get(F, H * ARRAY + at + ROW);
                ofB += l * s.get(F, W * ARRAY + at);
                s.set(F, DW * ARRAY + at, s.get(F, DW * ARRAY + at) + in * l);
                float kept = l * s.get(F, E * ARRAY + at);
                s.set(F, lambda + lane, kept);
                float q = kept * s.get(F, H * ARRAY + at);
                s.set(F, DDELTA * ARRAY + at, s.get(F, DDELTA * ARRAY + at) + s.get(F, aAt + lane) * q);
                s.set(F, da + lane, s.get(F, da + lane) + s.get(F, DELTA * ARRAY + at) * q);
            }
            sums.set(F, db + r * 4L, sums.get(F, db + r * 4L) + ofB);
            sums.set(F, dc + r * 4L, sums.get(F, dc + r * 4L) + ofC);
        }
    }

    @Override
    public void inputs(MemorySegment s, long uAt, long raw, long skip, long dbias, long dskip, boolean softplus, int rows) {
        for (int r = 0; r < rows; r++) {
            for (int i = 0; i < SIDE; i++) {
                long lane = i * 4L;
                long at = r * ROW + lane;
                float u = s.get(F, uAt + at);
                float g = s.get(F, G * ARRAY + at);
                float dw = s.get(F, DW * ARRAY + at);
                float slope = s.get(F, DDELTA * ARRAY + at) + dw * u;
                slope = softplus ? slope * sigmoid(s.get(F, raw + at)) : slope;
                s.set(F, raw + at, slope);
                s.set(F, dbias + lane, s.get(F, dbias + lane) + slope);
                s.set(F, dskip + lane, s.get(F, dskip + lane) + g * u);
                s.set(F, uAt + at, s.get(F, DELTA * ARRAY + at) * dw + s.get(F, skip + lane) * g);
            }
        }
    }

    @Override
    public void channels(MemorySegment s, long delta, long w, long y, int from, int to, MemorySegment a, MemorySegment h, long hAt, int states,
            MemorySegment b, long bAt, MemorySegment c, long cAt) {
        for (int d = from; d < to; d++) {
            float step = s.get(F, delta + d * 4L) * LOG2E;
            float u = s.get(F, w + d * 4L);
            float sum = s.get(F, y + d * 4L);
            for (int n = 0; n < states; n++) {
                long at = ((long) d * states + n) * 4;
                float next = exp2(a.get(F, at) * step) * h.get(F, hAt + at) + u * b.get(F, bAt + n * 4L);
                h.set(F, hAt + at, next);
                sum += c.get(F, cAt + n * 4L) * next;
            }
            s.set(F, y + d * 4L, sum);
        }
    }
}
