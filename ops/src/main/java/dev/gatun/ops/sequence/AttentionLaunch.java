package dev.gatun.ops.sequence;

import dev.gatun.bindings.cuda.CudaGrid;
import dev.gatun.engine.Args;
import dev.gatun.engine.Kernel;
import dev.gatun.engine.Shape;
import dev.gatun.engine.cuda.Gpu;
import dev.gatun.engine.cuda.Ptx;
import java.util.stream.LongStream;

/** Attention on a GPU, by {@code attention.cu}: tiles of scores, for heads of up to 128 features. */
final class AttentionLaunch {

    static final Ptx KERNELS = Ptx.of("attention", name -> AttentionLaunch.class.getResourceAsStream(name));

    private static final int THREADS = 256;
    private static final int PADDING = 4;

    /** Positions are counted with 32 bits; no window needs to be longer than this. */
    private static final long MOST = 1 << 30;

    /** How wide tiles are padded, and how many queries and keys they have; as {@code attention.cu} says. */
    private enum Form {
        NARROW(32, 64, 64, 64),
        MIDDLE(64, 64, 32, 32),
        WIDE(128, 32, 32, 32);

        private final int width;
        private final int queries;
        private final int keys;
        private final int tile;

        Form(int width, int queries, int keys, int tile) {
            this.width = width;
            this.queries = queries;
            this.keys = keys;
            this.tile = tile;
        }

        static Form of(Args a) {
            long widest = widest(a);
            return widest <= NARROW.width ? NARROW : widest <= MIDDLE.width ? MIDDLE : WIDE;
        }

        int forwardBytes() {
            return ((queries + 2 * keys) * (width + PADDING) + queries * (keys + PADDING)) * Float.BYTES;
        }

        int backwardBytes() {
            return (4 * tile * (width + PADDING) + tile * (tile + PADDING)) * Float.BYTES;
        }
    }

    private AttentionLaunch() {}

    private static long widest(Args a) {
        return Math.max(a.shape(0).last(), a.shape(2).last());
    }

    private static boolean takes(Args a, int mask) {
        return a.isF32() && widest(a) <= Form.WIDE.width && (a.inputs() <= mask || a.contiguous(mask));
    }

    private static boolean lie(Args a, int... inputs) {
        for (int i : inputs) {
            if (a.shape(i).last() != 1 && a.strides(i)[3] != 1) {
                return false;
            }
        }
        return true;
    }

    static Kernel forward(boolean strided) {
        Kernel kernel = Kernel.cuda(AttentionLaunch::forward);
        return strided ? kernel.when(a -> takes(a, 3) && lie(a, 0, 1, 2)).strided() : kernel.when(a -> a.isF32() && widest(a) <= Form.WIDE.width);
    }

    static Kernel backward(boolean strided) {
        Kernel kernel = Kernel.cuda(AttentionLaunch::backward)
                .workspace(a -> a.shape(4).elements() * Float.BYTES);
        return strided
                ? kernel.when(a -> takes(a, 7) && lie(a, 0, 1, 2, 3, 5) && a.contiguous(4) && a.contiguous(6)).strided()
                : kernel.when(a -> a.isF32() && widest(a) <= Form.WIDE.width);
    }

    private static int[] sizes(Args a) {
        Shape q = a.shape(0);
        return ints(q.dim(1), a.shape(1).dim(1), q.dim(2), a.shape(1).dim(2), q.last(), a.shape(2).last());
    }

    private static int[] sees(Args a, Attention op) {
        Sight sight = op.sight(a.shape(0).dim(2), a.shape(1).dim(2));
        return ints(sight.offset(), sight.causal() ? 1 : 0, Math.min(sight.window(), MOST), Math.min(sight.prefix(), MOST));
    }

    private static int[] ints(long... numbers) {
        return LongStream.of(numbers).mapToInt(Math::toIntExact).toArray();
    }

    private static long[] walk(Args a, int i) {
        long[] strides = a.strides(i);
        return new long[] {strides[0], strides[1], strides[2]};
    }

    private static void forward(Args a, Gpu gpu) {
        Attention op = a.op(Attention.class);
        Shape q = a.shape(0);
        if (a.outSpec(1).shape().elements() == 0) {
            return;
        }
        Form form = Form.of(a);
        gpu.launch(KERNELS, "attention_" + form.width,
                CudaGrid.of(Math.ceilDiv(q.dim(2), form.queries), q.dim(1), q.dim(0), THREADS).shared(form.forwardBytes()),
                a.in(0).address(), a.in(1).address(), a.in(2).address(), a.inputs() > 3 ? a.in(3).address() : 0L,
                a.out(0).address(), a.out(1).address(), sizes(a), walk(a, 0), walk(a, 1), walk(a, 2), sees(a, op),
                (float) op.scaleFor(q.last()), (float) op.softcap());
    }

    private static void backward(Args a, Gpu gpu) {
        Attention op = a.op(AttentionGrad.class).of();
        Shape q = a.shape(0);
        Shape k = a.shape(1);
        Form form = Form.of(a);
        long rows = a.shape(4).elements();
        long delta = a.workspace().address();
        long mask = a.inputs() > 7 ? a.in(7).address() : 0;
        float scale = (float) op.scaleFor(q.last());
        float cap = (float) op.softcap();
        if (rows > 0) {
            gpu.launch(KERNELS, "attention_delta", CudaGrid.of(Math.ceilDiv(rows * 32, THREADS), THREADS), a.in(3).address(),
                    a.in(5).address(), a.in(6).address(), delta, sizes(a), walk(a, 3), walk(a, 5), rows);
            gpu.launch(KERNELS, "attention_queries_" + form.width,
                    CudaGrid.of(Math.ceilDiv(q.dim(2), form.tile), q.dim(1), q.dim(0), THREADS).shared(form.backwardBytes()),
                    a.in(0).address(), a.in(1).address(), a.in(2).address(), a.in(5).address(), a.in(4).address(), delta, mask,
                    a.out(0).address(), sizes(a), walk(a, 0), walk(a, 1), walk(a, 2), walk(a, 5), sees(a, op), scale, cap);
        }
        if (k.dim(0) * k.dim(1) * k.dim(2) > 0) {
            gpu.launch(KERNELS, "attention_keys_" + form.width,
                    CudaGrid.of(Math.ceilDiv(k.dim(2), form.tile), k.dim(1), k.dim(0), THREADS).shared(form.backwardBytes()),
                    a.in(0).address(), a.in(1).address(), a.in(2).address(), a.in(5).address(), a.in(4).address(), delta, mask,
                    a.out(1).address(), a.out(2).address(), sizes(a), walk(a, 0), walk(a, 1), walk(a, 2), walk(a, 5), sees(a, op),
                    scale, cap);
        }
    }
}
