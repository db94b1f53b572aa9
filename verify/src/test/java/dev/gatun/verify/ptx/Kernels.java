package dev.gatun.verify.ptx;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Small kernels for tests: a body, run on words of global memory. */
final class Kernels {

    static final String HEAD = """
            .version 7.0
            .target sm_80
            .address_size 64
            .visible .entry test(.param .u64 x)
            {
            .reg .pred %p<16>;
            .reg .b16 %h<16>;
            .reg .b32 %r<16>;
            .reg .f32 %f<16>;
            .reg .b64 %d<16>;
            .reg .f64 %g<16>;
            .shared .align 16 .b8 room[1024];
            mov.u32 %r0, %tid.x;
            ld.param.u64 %d0, [x];
            mad.wide.u32 %d1, %r0, 8, %d0;
            """;

    private Kernels() {}

    /** A kernel of one parameter: {@code %d0} is its address, {@code %d1} the thread's eight bytes there, {@code %r0} the thread. */
    static PtxKernel of(String body) {
        return PtxModule.of(HEAD + body + "\nret;\n}\n").kernel("test");
    }

    /** Line of the text that the body's first line is. */
    static int line(int ofBody) {
        return (int) HEAD.lines().count() + ofBody;
    }

    static byte[] parameter(long address) {
        return ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(address).array();
    }

    /** Runs a body on one block; a number of 64 bits for each thread, in and out. */
    static long[] run(String body, long... numbers) {
        EmulatedGpu gpu = new EmulatedGpu(80, 1 << 20);
        long address = gpu.memory().allocate(8L * numbers.length);
        gpu.memory().write(address, MemorySegment.ofBuffer(bytes(numbers)), 8L * numbers.length);
        gpu.launch(of(body), 1, numbers.length, parameter(address));
        ByteBuffer out = ByteBuffer.allocateDirect(8 * numbers.length).order(ByteOrder.LITTLE_ENDIAN);
        gpu.memory().read(MemorySegment.ofBuffer(out), address, 8L * numbers.length);
        long[] found = new long[numbers.length];
        out.asLongBuffer().get(found);
        return found;
    }

    static ByteBuffer bytes(long... numbers) {
        ByteBuffer bytes = ByteBuffer.allocateDirect(8 * numbers.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asLongBuffer().put(numbers);
        return bytes;
    }
}
