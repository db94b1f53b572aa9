package dev.gatun.bindings.onednn;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Supplier;

/**
 * A computation on F32 that oneDNN has prepared for operands of certain sizes and strides. It may run on many threads at
 * once; each run computes on its caller's thread alone, so that whoever owns the threads also owns how work is cut. What
 * it holds in native memory is given back when nobody can reach it any more.
 */
public final class OneDnnPrimitive {

    private static final Cleaner CLEANER = Cleaner.create();
    private static final boolean OPEN_MP = OneDnn.probe() instanceof OneDnn.Present present && present.openMp();

    /** What all primitives share, for the life of the process. */
    private static final class Shared {
        static final MemorySegment ENGINE = made("dnnl_engine_create", out -> Dnnl.dnnl_engine_create(out, Dnnl.dnnl_cpu(), 0));
        static final MemorySegment USER_SCRATCHPAD = made("dnnl_primitive_attr_create", Dnnl::dnnl_primitive_attr_create);

        static {
            check("dnnl_primitive_attr_set_scratchpad_mode",
                    Dnnl.dnnl_primitive_attr_set_scratchpad_mode(USER_SCRATCHPAD, Dnnl.dnnl_scratchpad_mode_user()));
        }
    }

    /** A function that writes what it made to an address and returns a status. */
    private interface Maker {
        int make(MemorySegment out);
    }

    /** One of the arguments: its number in oneDNN and its descriptor. */
    private record Operand(int number, MemorySegment descriptor) {}

    /** What is given back at the end. Refers to no primitive, which could never become unreachable then. */
    private static final class Holdings implements Runnable {
        private MemorySegment primitive;
        private final List<MemorySegment> descriptors = new ArrayList<>();
        private final List<MemorySegment> memories = new ArrayList<>();
        private final List<MemorySegment> streams = new ArrayList<>();

        @Override
        public synchronized void run() {
            memories.forEach(Dnnl::dnnl_memory_destroy);
            descriptors.forEach(Dnnl::dnnl_memory_desc_destroy);
            streams.forEach(Dnnl::dnnl_stream_destroy);
            if (primitive != null) {
                Dnnl.dnnl_primitive_destroy(primitive);
            }
        }
    }

    /** What one run at a time needs. */
    private record Call(MemorySegment stream, MemorySegment[] memories, MemorySegment arguments) {}

    private final Holdings holdings;
    private final Operand[] operands;
    private final long scratchBytes;
    private final Queue<Call> idle = new ConcurrentLinkedQueue<>();

    /**
     * {@code c = a b}, with {@code a [rows, inner]} and {@code b [inner, columns]} in any canonical layout and rows of
     * {@code c} that lie {@code cRow} apart. Strides count elements.
     */
    public static OneDnnPrimitive matmul(
            long rows, long inner, long columns, long aRow, long aInner, long bInner, long bColumn, long cRow) {
        return onOneThread(() -> {
            Holdings holdings = new Holdings();
            Operand a = operand(holdings, Dnnl.DNNL_ARG_SRC(), new long[] {rows, inner}, aRow, aInner);
            Operand b = operand(holdings, Dnnl.DNNL_ARG_WEIGHTS(), new long[] {inner, columns}, bInner, bColumn);
            Operand c = operand(holdings, Dnnl.DNNL_ARG_DST(), new long[] {rows, columns}, cRow, 1);
            return new OneDnnPrimitive(holdings, "dnnl_matmul_primitive_desc_create", out -> Dnnl.dnnl_matmul_primitive_desc_create(
                    out, Shared.ENGINE, a.descriptor, b.descriptor, MemorySegment.NULL, c.descriptor, Shared.USER_SCRATCHPAD), a, b, c);
        });
    }

    /** {@code y = exp(x) / sum(exp(x))} over each of the rows of {@code x [rows, n]}; a row of {@code -inf} becomes NaN. */
    public static OneDnnPrimitive softmax(long rows, long n) {
        return onOneThread(() -> {
            Holdings holdings = new Holdings();
            Operand x = operand(holdings, Dnnl.DNNL_ARG_SRC(), new long[] {rows, n}, n, 1);
            Operand y = operand(holdings, Dnnl.DNNL_ARG_DST(), new long[] {rows, n}, n, 1);
            return new OneDnnPrimitive(holdings, "dnnl_softmax_forward_primitive_desc_create",
                    out -> Dnnl.dnnl_softmax_forward_primitive_desc_create(out, Shared.ENGINE, Dnnl.dnnl_forward_inference(),
                            Dnnl.dnnl_softmax_accurate(), x.descriptor, y.descriptor, 1, Shared.USER_SCRATCHPAD), x, y);
        });
    }

    /**
     * {@code y = (x - mean) / sqrt(var + eps) * w + b} over each of the rows of {@code x [rows, n]}, in the order
     * {@code x, y, w} and, with a bias, {@code b}.
     */
    public static OneDnnPrimitive layerNorm(long rows, long n, float eps, boolean bias) {
        return onOneThread(() -> {
            Holdings holdings = new Holdings();
            List<Operand> operands = new ArrayList<>(List.of(
                    operand(holdings, Dnnl.DNNL_ARG_SRC(), new long[] {rows, n}, n, 1),
                    operand(holdings, Dnnl.DNNL_ARG_DST(), new long[] {rows, n}, n, 1),
                    operand(holdings, Dnnl.DNNL_ARG_SCALE(), new long[] {n}, 1)));
            if (bias) {
                operands.add(operand(holdings, Dnnl.DNNL_ARG_SHIFT(), new long[] {n}, 1));
            }
            int flags = Dnnl.dnnl_use_scale() | (bias ? Dnnl.dnnl_use_shift() : 0);
            return new OneDnnPrimitive(holdings, "dnnl_layer_normalization_forward_primitive_desc_create",
                    out -> Dnnl.dnnl_layer_normalization_forward_primitive_desc_create(out, Shared.ENGINE, Dnnl.dnnl_forward_inference(),
                            operands.get(0).descriptor, operands.get(1).descriptor, MemorySegment.NULL, eps, flags, Shared.USER_SCRATCHPAD),
                    operands.toArray(Operand[]::new));
        });
    }

    private OneDnnPrimitive(Holdings holdings, String function, Maker maker, Operand... operands) {
        this.holdings = holdings;
        CLEANER.register(this, holdings);
        MemorySegment description = made(function, maker);
        try {
            // Owned by the description: it is read here and must not be destroyed.
            MemorySegment scratchpad = Dnnl.dnnl_primitive_desc_query_md(description, Dnnl.dnnl_query_scratchpad_md(), 0);
            scratchBytes = scratchpad.equals(MemorySegment.NULL) ? 0 : Dnnl.dnnl_memory_desc_get_size(scratchpad);
            holdings.primitive = made("dnnl_primitive_create", out -> Dnnl.dnnl_primitive_create(out, description));
        } finally {
            Dnnl.dnnl_primitive_desc_destroy(description);
        }
        this.operands = Arrays.copyOf(operands, operands.length + 1);
        this.operands[operands.length] = operand(holdings, Dnnl.DNNL_ARG_SCRATCHPAD(), new long[] {Math.max(1, scratchBytes)}, 1);
    }

    /** Bytes of scratch memory that a run needs. */
    public long scratchBytes() {
        return scratchBytes;
    }

    /**
     * Computes on the calling thread. Returns when the result is there.
     *
     * @param scratch at least {@link #scratchBytes} that nobody else uses meanwhile
     * @param memory of the operands, in their order, each from its first element on
     * @throws OneDnnException when the library refuses
     */
    public void run(MemorySegment scratch, MemorySegment... memory) {
        Call call = idle.poll();
        if (call == null) {
            call = call();
        }
        try {
            for (int i = 0; i < memory.length; i++) {
                set(call.memories[i], memory[i]);
            }
            set(call.memories[memory.length], scratch);
            int before = OPEN_MP ? Dnnl.omp_get_max_threads() : 1;
            alone(before);
            try {
                check("dnnl_primitive_execute",
                        Dnnl.dnnl_primitive_execute(holdings.primitive, call.stream, operands.length, call.arguments));
            } finally {
                restore(before);
            }
        } finally {
            idle.add(call);
            Reference.reachabilityFence(this);
        }
    }

    private static void set(MemorySegment memory, MemorySegment data) {
        check("dnnl_memory_set_data_handle", Dnnl.dnnl_memory_set_data_handle(memory, data));
    }

    private Call call() {
        synchronized (holdings) {
            MemorySegment stream = made("dnnl_stream_create",
                    out -> Dnnl.dnnl_stream_create(out, Shared.ENGINE, Dnnl.dnnl_stream_default_flags()));
            holdings.streams.add(stream);
            MemorySegment[] memories = new MemorySegment[operands.length];
            MemorySegment arguments = dnnl_exec_arg_t.allocateArray(operands.length, Arena.ofAuto());
            for (int i = 0; i < memories.length; i++) {
                MemorySegment descriptor = operands[i].descriptor;
                memories[i] = made("dnnl_memory_create",
                        out -> Dnnl.dnnl_memory_create(out, descriptor, Shared.ENGINE, MemorySegment.NULL));
                holdings.memories.add(memories[i]);
                MemorySegment argument = dnnl_exec_arg_t.asSlice(arguments, i);
                dnnl_exec_arg_t.arg(argument, operands[i].number);
                dnnl_exec_arg_t.memory(argument, memories[i]);
            }
            return new Call(stream, memories, arguments);
        }
    }

    private static Operand operand(Holdings holdings, int number, long[] sizes, long... strides) {
        MemorySegment descriptor;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment dims = arena.allocateFrom(ValueLayout.JAVA_LONG, sizes);
            MemorySegment steps = arena.allocateFrom(ValueLayout.JAVA_LONG, strides);
            int type = number == Dnnl.DNNL_ARG_SCRATCHPAD() ? Dnnl.dnnl_u8() : Dnnl.dnnl_f32();
            descriptor = made("dnnl_memory_desc_create_with_strides",
                    out -> Dnnl.dnnl_memory_desc_create_with_strides(out, sizes.length, dims, type, steps));
        }
        holdings.descriptors.add(descriptor);
        return new Operand(number, descriptor);
    }

    /** A primitive is cut for the number of threads that its maker may use. */
    private static <T> T onOneThread(Supplier<T> work) {
        int before = OPEN_MP ? Dnnl.omp_get_max_threads() : 1;
        alone(before);
        try {
            return work.get();
        } finally {
            restore(before);
        }
    }

    private static void alone(int before) {
        if (before != 1) {
            Dnnl.omp_set_num_threads(1);
        }
    }

    private static void restore(int before) {
        if (before != 1) {
            Dnnl.omp_set_num_threads(before);
        }
    }

    private static MemorySegment made(String function, Maker maker) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(Dnnl.C_POINTER);
            check(function, maker.make(out));
            return out.get(Dnnl.C_POINTER, 0);
        }
    }

    private static void check(String function, int status) {
        if (status != Dnnl.dnnl_success()) {
            throw new OneDnnException(function, status, Dnnl.dnnl_status2str(status).getString(0));
        }
    }
}
