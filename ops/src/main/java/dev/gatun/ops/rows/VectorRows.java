package dev.gatun.ops.rows;

import static dev.gatun.ops.rows.PlainRows.BIAS;
import static dev.gatun.ops.rows.PlainRows.HIGHEST;
import static dev.gatun.ops.rows.PlainRows.LN2_HIGH;
import static dev.gatun.ops.rows.PlainRows.LN2_LOW;
import static dev.gatun.ops.rows.PlainRows.LOG2_E;
import static dev.gatun.ops.rows.PlainRows.LOWEST;
import static dev.gatun.ops.rows.PlainRows.MAGIC;
import static jdk.incubator.vector.FloatVector.fromMemorySegment;
import static jdk.incubator.vector.VectorOperators.ADD;
import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.MAX;

import dev.gatun.engine.lanes.Lanes;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * The steps as Vector API loops: whole vectors, then one under a mask; sums in two chains, so that an
 * addition need not wait for the one before. The exponential is written out, because the JDK's own
 * gives other last bits before the compiler has seen the loop than after. Bounds are kept by comparing
 * and blending: Java's max and min, which order zeros and pass NaN on, take five times as long.
 */
public final class VectorRows implements RowSteps {

    /** The only instance; touched where the Vector API module is. */
    public static final RowSteps STEPS = new VectorRows();

    private static final VectorSpecies<Float> S = Lanes.F32;
    private static final int STEP = S.length();
    private static final ByteOrder NATIVE = ByteOrder.nativeOrder();
    private static final FloatVector E0 = FloatVector.broadcast(S, PlainRows.E0);
    private static final FloatVector E1 = FloatVector.broadcast(S, PlainRows.E1);
    private static final FloatVector E2 = FloatVector.broadcast(S, PlainRows.E2);
    private static final FloatVector E3 = FloatVector.broadcast(S, PlainRows.E3);
    private static final FloatVector E4 = FloatVector.broadcast(S, PlainRows.E4);

    // Lanes are added half to half by hand: reduceLanes(ADD) has one order while it is interpreted, another once compiled.
    private static final VectorShuffle<Float> HALF = VectorShuffle.iota(S, STEP / 2, 1, true);
    private static final VectorShuffle<Float> QUARTER = VectorShuffle.iota(S, STEP / 4, 1, true);
    private static final VectorShuffle<Float> EIGHTH = VectorShuffle.iota(S, STEP / 8, 1, true);
    private static final VectorShuffle<Float> SIXTEENTH = VectorShuffle.iota(S, STEP / 16, 1, true);

    private VectorRows() {}

    @Override
    public float max(MemorySegment x, long xAt, int n) {
        MemorySegment xs = x.asSlice(xAt, n * 4L);
        int full = S.loopBound(n);
        VectorMask<Float> rest = S.indexInRange(full, n);
        long end = full * 4L;
        FloatVector even = FloatVector.broadcast(S, Float.NEGATIVE_INFINITY);
        FloatVector odd = even;
        int i = 0;
        for (; i + STEP < full; i += 2 * STEP) {
            long at = i * 4L;
            long next = at + STEP * 4L;
            FloatVector first = fromMemorySegment(S, xs, at, NATIVE);
            even = even.blend(first, first.compare(GT, even));
            FloatVector second = fromMemorySegment(S, xs, next, NATIVE);
            odd = odd.blend(second, second.compare(GT, odd));
        }
        if (i < full) {
            long at = i * 4L;
            FloatVector first = fromMemorySegment(S, xs, at, NATIVE);
            even = even.blend(first, first.compare(GT, even));
        }
        FloatVector last = fromMemorySegment(S, xs, end, NATIVE, rest);
        odd = odd.blend(last, last.compare(GT, odd).and(rest));
        return even.max(odd).reduceLanes(MAX);
    }

    @Override
    public float sum(MemorySegment x, long xAt, int n) {
        MemorySegment xs = x.asSlice(xAt, n * 4L);
        int full = S.loopBound(n);
        VectorMask<Float> rest = S.indexInRange(full, n);
        long end = full * 4L;
        FloatVector even = FloatVector.zero(S);
        FloatVector odd = even;
        int i = 0;
        for (; i + STEP < full; i += 2 * STEP) {
            long at = i * 4L;
            long next = at + STEP * 4L;
            even = even.add(fromMemorySegment(S, xs, at, NATIVE));
            odd = odd.add(fromMemorySegment(S, xs, next, NATIVE));
        }
        if (i < full) {
            long at = i * 4L;
            even = even.add(fromMemorySegment(S, xs, at, NATIVE));
        }
        odd = odd.add(fromMemorySegment(S, xs, end, NATIVE, rest));
        FloatVector sum = even.add(odd);
        sum = sum.add(sum.rearrange(HALF));
        sum = sum.add(sum.rearrange(QUARTER));
        sum = STEP < 8 ? sum : sum.add(sum.rearrange(EIGHTH));
        sum = STEP < 16 ? sum : sum.add(sum.rearrange(SIXTEENTH));
        return sum.lane(0);
    }

    @Override
    public float squares(MemorySegment x, long xAt, float mean, int n) {
        MemorySegment xs = x.asSlice(xAt, n * 4L);
        int full = S.loopBound(n);
        VectorMask<Float> rest = S.indexInRange(full, n);
        long end = full * 4L;
        FloatVector even = FloatVector.zero(S);
        FloatVector odd = even;
        int i = 0;
        for (; i + STEP < full; i += 2 * STEP) {
            long at = i * 4L;
            long next = at + STEP * 4L;
            FloatVector first = fromMemorySegment(S, xs, at, NATIVE).sub(mean);
            even = first.fma(first, even);
            FloatVector second = fromMemorySegment(S, xs, next, NATIVE).sub(mean);
            odd = second.fma(second, odd);
        }
        if (i < full) {
            long at = i * 4L;
            FloatVector first = fromMemorySegment(S, xs, at, NATIVE).sub(mean);
            even = first.fma(first, even);
        }
        FloatVector last = fromMemorySegment(S, xs, end, NATIVE, rest).sub(mean);
        odd = odd.lanewise(ADD, last.mul(last), rest);
        FloatVector sum = even.add(odd);
        sum = sum.add(sum.rearrange(HALF));
        sum = sum.add(sum.rearrange(QUARTER));
        sum = STEP < 8 ? sum : sum.add(sum.rearrange(EIGHTH));
        sum = STEP < 16 ? sum : sum.add(sum.rearrange(SIXTEENTH));
        return sum.lane(0);
    }

    @Override
    public float dot(MemorySegment x, long xAt, MemorySegment y, long yAt, int n) {
        MemorySegment xs = x.asSlice(xAt, n * 4L);
        MemorySegment ys = y.asSlice(yAt, n * 4L);
        int full = S.loopBound(n);
        VectorMask<Float> rest = S.indexInRange(full, n);
        long end = full * 4L;
        FloatVector even = FloatVector.zero(S);
        FloatVector odd = even;
        int i = 0;
        for (; i + STEP < full; i += 2 * STEP) {
            long at = i * 4L;
            long next = at + STEP * 4L;
            even = fromMemorySegment(S, xs, at, NATIVE).fma(fromMemorySegment(S, ys, at, NATIVE), even);
            odd = fromMemorySegment(S, xs, next, NATIVE).fma(fromMemorySegment(S, ys, next, NATIVE), odd);
        }
        if (i < full) {
            long at = i * 4L;
            even = fromMemorySegment(S, xs, at, NATIVE).fma(fromMemorySegment(S, ys, at, NATIVE), even);
        }
        odd = fromMemorySegment(S, xs, end, NATIVE, rest).fma(fromMemorySegment(S, ys, end, NATIVE, rest), odd);
        FloatVector sum = even.add(odd);
        sum = sum.add(sum.rearrange(HALF));
        sum = sum.add(sum.rearrange(QUARTER));
        sum = STEP < 8 ? sum : sum.add(sum.rearrange(EIGHTH));
        sum = STEP < 16 ? sum : sum.add(sum.rearrange(SIXTEENTH));
        return sum.lane(0);
    }

    @Override
    public float dot(MemorySegment g, long gAt, MemorySegment w, long wAt, MemorySegment x, long xAt, float mean, int n) {
        MemorySegment gs = g.asSlice(gAt, n * 4L);
        MemorySegment ws = w.asSlice(wAt, n * 4L);
        MemorySegment xs = x.asSlice(xAt, n * 4L);
        int full = S.loopBound(n);
        VectorMask<Float> rest = S.indexInRange(full, n);
        long end = full * 4L;
        FloatVector even = FloatVector.zero(S);
        FloatVector odd = even;
        int i = 0;
        for (; i + STEP < full; i += 2 * STEP) {
            long at = i * 4L;
            long next = at + STEP * 4L;
            FloatVector first = fromMemorySegment(S, gs, at, NATIVE).mul(fromMemorySegment(S, ws, at, NATIVE));
            even = first.fma(fromMemorySegment(S, xs, at, NATIVE).sub(mean), even);
            FloatVector second = fromMemorySegment(S, gs, next, NATIVE).mul(fromMemorySegment(S, ws, next, NATIVE));
            odd = second.fma(fromMemorySegment(S, xs, next, NATIVE).sub(mean), odd);
        }
        if (i < full) {
            long at = i * 4L;
            FloatVector first = fromMemorySegment(S, gs, at, NATIVE).mul(fromMemorySegment(S, ws, at, NATIVE));
            even = first.fma(fromMemorySegment(S, xs, at, NATIVE).sub(mean), even);
        }
        FloatVector last = fromMemorySegment(S, gs, end, NATIVE, rest).mul(fromMemorySegment(S, ws, end, NATIVE, rest));
        odd = last.fma(fromMemorySegment(S, xs, end, NATIVE, rest).sub(mean), odd);
        FloatVector sum = even.add(odd);
        sum = sum.add(sum.rearrange(HALF));
        sum = sum.add(sum.rearrange(QUARTER));
        sum = STEP < 8 ? sum : sum.add(sum.rearrange(EIGHTH));
        sum = STEP < 16 ? sum : sum.add(sum.rearrange(SIXTEENTH));
        return sum.lane(0);
    }

    @Override
    public float exp(MemorySegment x, long xAt, float shift, float scale, float offset, MemorySegment y, long yAt, int n) {
        MemorySegment xs = x.asSlice(xAt, n * 4L);
        MemorySegment ys = y.asSlice(yAt, n * 4L);
        int full = S.loopBound(n);
        FloatVector scaleUp = FloatVector.broadcast(S, LOG2_E);
        FloatVector magic = FloatVector.broadcast(S, MAGIC);
        FloatVector high = FloatVector.broadcast(S, -LN2_HIGH);
        FloatVector low = FloatVector.broadcast(S, -LN2_LOW);
        FloatVector bias = FloatVector.broadcast(S, BIAS);
        FloatVector ones = FloatVector.broadcast(S, 1);
        FloatVector lowest = FloatVector.broadcast(S, LOWEST);
        FloatVector highest = FloatVector.broadcast(S, HIGHEST);
        FloatVector shifts = FloatVector.broadcast(S, shift);
        FloatVector scales = FloatVector.broadcast(S, scale);
        FloatVector offsets = FloatVector.broadcast(S, offset);
        FloatVector sums = FloatVector.zero(S);
        for (int i = 0; i < full; i += STEP) {
            long at = i * 4L;
            FloatVector b = fromMemorySegment(S, xs, at, NATIVE).sub(shifts);
            b = b.blend(lowest, b.lt(lowest));
            b = b.blend(highest, b.compare(GT, highest));
            FloatVector shifted = b.fma(scaleUp, magic);
            FloatVector k = shifted.sub(magic);
            FloatVector r = k.fma(low, k.fma(high, b));
            FloatVector p = r.fma(r.fma(r.fma(r.fma(E4, E3), E2), E1), E0);
            FloatVector power = shifted.add(bias).reinterpretAsInts().lanewise(LSHL, 23).reinterpretAsFloats();
            FloatVector e = r.mul(r).fma(p, r).add(ones).mul(power);
            FloatVector value = e.fma(scales, offsets);
            value.intoMemorySegment(ys, at, NATIVE);
            sums = sums.add(value);
        }
        if (full < n) {
            VectorMask<Float> rest = S.indexInRange(full, n);
            long end = full * 4L;
            FloatVector b = fromMemorySegment(S, xs, end, NATIVE, rest).sub(shifts);
            b = b.blend(lowest, b.lt(lowest));
            b = b.blend(highest, b.compare(GT, highest));
            FloatVector shifted = b.fma(scaleUp, magic);
            FloatVector k = shifted.sub(magic);
            FloatVector r = k.fma(low, k.fma(high, b));
            FloatVector p = r.fma(r.fma(r.fma(r.fma(E4, E3), E2), E1), E0);
            FloatVector power = shifted.add(bias).reinterpretAsInts().lanewise(LSHL, 23).reinterpretAsFloats();
            FloatVector e = r.mul(r).fma(p, r).add(ones).mul(power);
            FloatVector value = e.fma(scales, offsets);
            value.intoMemorySegment(ys, end, NATIVE, rest);
            sums = sums.lanewise(ADD, value, rest);
        }
        sums = sums.add(sums.rearrange(HALF));
        sums = sums.add(sums.rearrange(QUARTER));
        sums = STEP < 8 ? sums : sums.add(sums.rearrange(EIGHTH));
        sums = STEP < 16 ? sums : sums.add(sums.rearrange(SIXTEENTH));
        return sums.lane(0);
    }

    @Override
    public void affine(MemorySegment x, long xAt, float scale, float offset, MemorySegment y, long yAt, int n) {
        MemorySegment xs = x.asSlice(xAt, n * 4L);
        MemorySegment ys = y.asSlice(yAt, n * 4L);
        int full = S.loopBound(n);
        for (int i = 0; i < full; i += STEP) {
            long at = i * 4L;
            fromMemorySegment(S, xs, at, NATIVE).fma(scale, offset).intoMemorySegment(ys, at, NATIVE);
        }
        if (full < n) {
            VectorMask<Float> rest = S.indexInRange(full, n);
            long end = full * 4L;
            fromMemorySegment(S, xs, end, NATIVE, rest).fma(scale, offset).intoMemorySegment(ys, end, NATIVE, rest);
        }
    }

    @Override
    public void add(MemorySegment x, long xAt, MemorySegment y, long yAt, int n) {
        MemorySegment xs = x.asSlice(xAt, n * 4L);
        MemorySegment ys = y.asSlice(yAt, n * 4L);
        int full = S.loopBound(n);
        for (int i = 0; i < full; i += STEP) {
            long at = i * 4L;
            FloatVector sum = fromMemorySegment(S, ys, at, NATIVE).add(fromMemorySegment(S, xs, at, NATIVE));
            sum.intoMemorySegment(ys, at, NATIVE);
        }
        if (full < n) {
            VectorMask<Float> rest = S.indexInRange(full, n);
            long end = full * 4L;
            FloatVector sum = fromMemorySegment(S, ys, end, NATIVE, rest).add(fromMemorySegment(S, xs, end, NATIVE, rest));
            sum.intoMemorySegment(ys, end, NATIVE, rest);
        }
    }

    @Override
    public void multiply(MemorySegment a, long aAt, MemorySegment b, long bAt, MemorySegment y, long yAt, int n) {
        MemorySegment as = a.asSlice(aAt, n * 4L);
        MemorySegment bs = b.asSlice(bAt, n * 4L);
        MemorySegment ys = y.asSlice(yAt, n * 4L);
        int full = S.loopBound(n);
        for (int i = 0; i < full; i += STEP) {
            long at = i * 4L;
            FloatVector product = fromMemorySegment(S, as, at, NATIVE).mul(fromMemorySegment(S, bs, at, NATIVE));
            product.intoMemorySegment(ys, at, NATIVE);
        }
        if (full < n) {
            VectorMask<Float> rest = S.indexInRange(full, n);
            long end = full * 4L;
            FloatVector product = fromMemorySegment(S, as, end, NATIVE, rest).mul(fromMemorySegment(S, bs, end, NATIVE, rest));
            product.intoMemorySegment(ys, end, NATIVE, rest);
        }
    }

    @Override
    public void multiplyAdd(
            MemorySegment a, long aAt, MemorySegment b, long bAt, MemorySegment c, long cAt, MemorySegment y, long yAt, int n) {
        MemorySegment as = a.asSlice(aAt, n * 4L);
        MemorySegment bs = b.asSlice(bAt, n * 4L);
        MemorySegment cs = c.asSlice(cAt, n * 4L);
        MemorySegment ys = y.asSlice(yAt, n * 4L);
        int full = S.loopBound(n);
        for (int i = 0; i < full; i += STEP) {
            long at = i * 4L;
            FloatVector sum = fromMemorySegment(S, as, at, NATIVE).fma(fromMemorySegment(S, bs, at, NATIVE), fromMemorySegment(S, cs, at, NATIVE));
            sum.intoMemorySegment(ys, at, NATIVE);
        }
        if (full < n) {
            VectorMask<Float> rest = S.indexInRange(full, n);
            long end = full * 4L;
            FloatVector sum = fromMemorySegment(S, as, end, NATIVE, rest).fma(fromMemorySegment(S, bs, end, NATIVE, rest), fromMemorySegment(S, cs, end, NATIVE, rest));
            sum.intoMemorySegment(ys, end, NATIVE, rest);
        }
    }

    @Override
    public void silu(MemorySegment x, long xAt, int n) {
        MemorySegment xs = x.asSlice(xAt, n * 4L);
        int full = S.loopBound(n);
        FloatVector scaleUp = FloatVector.broadcast(S, LOG2_E);
        FloatVector magic = FloatVector.broadcast(S, MAGIC);
        FloatVector high = FloatVector.broadcast(S, -LN2_HIGH);
        FloatVector low = FloatVector.broadcast(S, -LN2_LOW);
        FloatVector bias = FloatVector.broadcast(S, BIAS);
        FloatVector ones = FloatVector.broadcast(S, 1);
        FloatVector lowest = FloatVector.broadcast(S, LOWEST);
        for (int i = 0; i < full; i += STEP) {
            long at = i * 4L;
            FloatVector value = fromMemorySegment(S, xs, at, NATIVE);
            FloatVector b = value.abs().neg();
            b = b.blend(lowest, b.lt(lowest));
            FloatVector shifted = b.fma(scaleUp, magic);
            FloatVector k = shifted.sub(magic);
            FloatVector r = k.fma(low, k.fma(high, b));
            FloatVector p = r.fma(r.fma(r.fma(r.fma(E4, E3), E2), E1), E0);
            FloatVector power = shifted.add(bias).reinterpretAsInts().lanewise(LSHL, 23).reinterpretAsFloats();
            FloatVector e = r.mul(r).fma(p, r).add(ones).mul(power);
            FloatVector share = ones.blend(e, value.lt(0)).div(e.add(ones));
            value.mul(share).intoMemorySegment(xs, at, NATIVE);
        }
        if (full < n) {
            VectorMask<Float> rest = S.indexInRange(full, n);
            long end = full * 4L;
            FloatVector value = fromMemorySegment(S, xs, end, NATIVE, rest);
            FloatVector b = value.abs().neg();
            b = b.blend(lowest, b.lt(lowest));
            FloatVector shifted = b.fma(scaleUp, magic);
            FloatVector k = shifted.sub(magic);
            FloatVector r = k.fma(low, k.fma(high, b));
            FloatVector p = r.fma(r.fma(r.fma(r.fma(E4, E3), E2), E1), E0);
            FloatVector power = shifted.add(bias).reinterpretAsInts().lanewise(LSHL, 23).reinterpretAsFloats();
            FloatVector e = r.mul(r).fma(p, r).add(ones).mul(power);
            FloatVector share = ones.blend(e, value.lt(0)).div(e.add(ones));
            value.mul(share).intoMemorySegment(xs, end, NATIVE, rest);
        }
    }

    @Override
    public void share(MemorySegment a, long aAt, MemorySegment b, long bAt, float c, MemorySegment y, long yAt, int n) {
        MemorySegment as = a.asSlice(aAt, n * 4L);
        MemorySegment bs = b.asSlice(bAt, n * 4L);
        MemorySegment ys = y.asSlice(yAt, n * 4L);
        int full = S.loopBound(n);
        for (int i = 0; i < full; i += STEP) {
            long at = i * 4L;
            FloatVector value = fromMemorySegment(S, as, at, NATIVE).mul(fromMemorySegment(S, bs, at, NATIVE).sub(c));
            value.intoMemorySegment(ys, at, NATIVE);
        }
        if (full < n) {
            VectorMask<Float> rest = S.indexInRange(full, n);
            long end = full * 4L;
            FloatVector value = fromMemorySegment(S, as, end, NATIVE, rest).mul(fromMemorySegment(S, bs, end, NATIVE, rest).sub(c));
            value.intoMemorySegment(ys, end, NATIVE, rest);
        }
    }

    @Override
    public void norm(
            MemorySegment x, long xAt, float mean, float scale, MemorySegment w, long wAt, MemorySegment y, long yAt, int n) {
        MemorySegment xs = x.asSlice(xAt, n * 4L);
        MemorySegment ws = w.asSlice(wAt, n * 4L);
        MemorySegment ys = y.asSlice(yAt, n * 4L);
        int full = S.loopBound(n);
        for (int i = 0; i < full; i += STEP) {
            long at = i * 4L;
            FloatVector unit = fromMemorySegment(S, xs, at, NATIVE).sub(mean).mul(scale);
            unit.mul(fromMemorySegment(S, ws, at, NATIVE)).intoMemorySegment(ys, at, NATIVE);
        }
        if (full < n) {
            VectorMask<Float> rest = S.indexInRange(full, n);
            long end = full * 4L;
            FloatVector unit = fromMemorySegment(S, xs, end, NATIVE, rest).sub(mean).mul(scale);
            unit.mul(fromMemorySegment(S, ws, end, NATIVE, rest)).intoMemorySegment(ys, end, NATIVE, rest);
        }
    }

    @Override
    public void normGradient(
            MemorySegment x, long xAt, float mean, float scale, MemorySegment w, long wAt, MemorySegment g, long gAt,
            float c, float d, MemorySegment dx, long dxAt, int n) {
        MemorySegment xs = x.asSlice(xAt, n * 4L);
        MemorySegment ws = w.asSlice(wAt, n * 4L);
        MemorySegment gs = g.asSlice(gAt, n * 4L);
        MemorySegment dxs = dx.asSlice(dxAt, n * 4L);
        int full = S.loopBound(n);
        // Products are rounded before c is taken off, as they were in c: a row of one number has a gradient of zero.
        FloatVector minusC = FloatVector.broadcast(S, -c);
        FloatVector minusD = FloatVector.broadcast(S, -d);
        for (int i = 0; i < full; i += STEP) {
            long at = i * 4L;
            FloatVector h = fromMemorySegment(S, gs, at, NATIVE).mul(fromMemorySegment(S, ws, at, NATIVE)).add(minusC);
            FloatVector centred = fromMemorySegment(S, xs, at, NATIVE).sub(mean);
            centred.fma(minusD, h).mul(scale).intoMemorySegment(dxs, at, NATIVE);
        }
        if (full < n) {
            VectorMask<Float> rest = S.indexInRange(full, n);
            long end = full * 4L;
            FloatVector h = fromMemorySegment(S, gs, end, NATIVE, rest).mul(fromMemorySegment(S, ws, end, NATIVE, rest)).add(minusC);
            FloatVector centred = fromMemorySegment(S, xs, end, NATIVE, rest).sub(mean);
            centred.fma(minusD, h).mul(scale).intoMemorySegment(dxs, end, NATIVE, rest);
        }
    }

    @Override
    public void weightGradient(
            MemorySegment x, long xAt, float mean, float scale, MemorySegment g, long gAt, MemorySegment dw, long dwAt, int n) {
        MemorySegment xs = x.asSlice(xAt, n * 4L);
        MemorySegment gs = g.asSlice(gAt, n * 4L);
        MemorySegment dws = dw.asSlice(dwAt, n * 4L);
        int full = S.loopBound(n);
        for (int i = 0; i < full; i += STEP) {
            long at = i * 4L;
            FloatVector unit = fromMemorySegment(S, xs, at, NATIVE).sub(mean).mul(scale);
            FloatVector sum = unit.fma(fromMemorySegment(S, gs, at, NATIVE), fromMemorySegment(S, dws, at, NATIVE));
            sum.intoMemorySegment(dws, at, NATIVE);
        }
        if (full < n) {
            VectorMask<Float> rest = S.indexInRange(full, n);
            long end = full * 4L;
            FloatVector unit = fromMemorySegment(S, xs, end, NATIVE, rest).sub(mean).mul(scale);
            FloatVector sum = unit.fma(fromMemorySegment(S, gs, end, NATIVE, rest), fromMemorySegment(S, dws, end, NATIVE, rest));
            sum.intoMemorySegment(dws, end, NATIVE, rest);
        }
    }
}
