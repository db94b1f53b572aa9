package dev.gatun.verify.ptx;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What a kernel must not do is found, and the report says what, where and who. */
@Tag("once")
class FaultsTest {

    private static String refused(String body) {
        return assertThrows(PtxRefusal.class, () -> Kernels.of(body)).getMessage();
    }

    private static PtxFault fault(int threads, String body) {
        EmulatedGpu gpu = new EmulatedGpu(80, 1 << 20);
        long address = gpu.memory().allocate(8L * threads);
        gpu.memory().write(address, MemorySegment.ofBuffer(Kernels.bytes(new long[threads])), 8L * threads);
        return assertThrows(PtxFault.class, () -> gpu.launch(Kernels.of(body), 1, threads, Kernels.parameter(address)));
    }

    private static String report(String what, int line, String text, String who) {
        return "test: " + what + "\n  line " + Kernels.line(line) + ": " + text + "\n  block (0, 0, 0), " + who;
    }

    @Test
    void an_unknown_instruction_is_refused_by_name() {
        assertEquals("ptx: line 16: instruction lop3.b32 is not emulated\n  lop3.b32 %r1, %r2, %r3, %r4, 0x96;",
                refused("lop3.b32 %r1, %r2, %r3, %r4, 0x96;"));
        assertEquals("ptx: line 16: instruction add.rz.f32 is not emulated\n  add.rz.f32 %f1, %f2, %f3;", refused("add.rz.f32 %f1, %f2, %f3;"));
        assertEquals("ptx: line 16: instruction ld.shared.u8 is not emulated\n  ld.shared.u8 %r1, [%r2];", refused("ld.shared.u8 %r1, [%r2];"));
        assertEquals("ptx: line 16: directive .local is not emulated\n  .local .b8 here[4];", refused(".local .b8 here[4];"));
    }

    @Test
    void operands_that_do_not_fit_are_refused() {
        assertEquals("ptx: line 16: %d1 has 64 bits, 32 belong there\n  add.s32 %r1, %d1, 1;", refused("add.s32 %r1, %d1, 1;"));
        assertEquals("ptx: line 16: %z is no register\n  mov.u32 %z, 1;", refused("mov.u32 %z, 1;"));
        assertEquals("ptx: line 16: there is no label AWAY\n  bra AWAY;", refused("bra AWAY;"));
    }

    @Test
    void an_address_behind_the_end_is_found() {
        PtxFault fault = fault(4, "ld.global.u64 %d2, [%d1+8];");
        assertEquals(700, fault.code());
        assertEquals(report("0x700000020 and 8 bytes on is 8 bytes behind the end of the 32 bytes at 0x700000000", 1,
                "ld.global.u64 %d2, [%d1+8];", "thread 3"), fault.getMessage());
    }

    @Test
    void memory_that_was_freed_is_not_used() {
        EmulatedGpu gpu = new EmulatedGpu(80, 1 << 20);
        long address = gpu.memory().allocate(8);
        gpu.memory().free(address);
        PtxFault fault = assertThrows(PtxFault.class, () -> gpu.launch(Kernels.of("st.global.u64 [%d1], %d1;"), 1, 1, Kernels.parameter(address)));
        assertEquals(700, fault.code());
        assertEquals(report("0x700000000 is in the 8 bytes at 0x700000000, which were freed", 1, "st.global.u64 [%d1], %d1;", "thread 0"),
                fault.getMessage());
        assertEquals("free: 0x700000000 is in the 8 bytes at 0x700000000, which were freed",
                assertThrows(PtxFault.class, () -> gpu.memory().free(address)).getMessage());
    }

    @Test
    void a_misaligned_address_is_found() {
        PtxFault fault = fault(2, "ld.global.f32 %f1, [%d1+2];");
        assertEquals(716, fault.code());
        assertEquals(report("address 0x700000002 is no multiple of 4 bytes", 1, "ld.global.f32 %f1, [%d1+2];", "thread 0"), fault.getMessage());
    }

    @Test
    void reads_of_what_nobody_wrote_are_found() {
        assertEquals(report("reads a register that was never written", 1, "add.s32 %r2, %r3, 1;", "threads 0 to 2"),
                fault(3, "add.s32 %r2, %r3, 1;").getMessage());
        assertEquals(report("reads a predicate that was never written", 1, "not.pred %p1, %p2;", "threads 0"),
                fault(1, "not.pred %p1, %p2;").getMessage());
        assertEquals(report("reads shared memory at 8 that nobody of its block wrote", 1, "ld.shared.f32 %f1, [room+8];", "thread 0"),
                fault(1, "ld.shared.f32 %f1, [room+8];").getMessage());
        EmulatedGpu gpu = new EmulatedGpu(80, 1 << 20);
        long address = gpu.memory().allocate(16);
        assertEquals(report("reads 4 bytes of memory that nobody wrote: 0x700000004 is in the 16 bytes at 0x700000000", 1,
                "ld.global.u32 %r1, [%d1+4];", "thread 0"),
                assertThrows(PtxFault.class, () -> gpu.launch(Kernels.of("ld.global.u32 %r1, [%d1+4];"), 1, 1, Kernels.parameter(address)))
                        .getMessage());
    }

    @Test
    void a_register_written_in_half_of_the_lanes_is_none_in_the_others() {
        assertEquals(report("reads a register that was never written", 4, "add.s32 %r3, %r2, 1;", "threads 2 to 5"), fault(6, """
                setp.lt.u32 %p1, %r0, 2;
                @!%p1 bra JOIN;
                mov.u32 %r2, 7;
                JOIN: add.s32 %r3, %r2, 1;
                """).getMessage().replace("JOIN: ", ""));
    }

    private static final String NEIGHBOUR = """
            shl.b32 %r1, %r0, 2;
            mov.u32 %r2, room;
            add.s32 %r3, %r2, %r1;
            st.shared.u32 [%r3], %r0;
            BARRIER
            xor.b32 %r4, %r1, MASK;
            add.s32 %r4, %r4, %r2;
            ld.shared.u32 %r5, [%r4];
            cvt.u64.u32 %d2, %r5;
            st.global.u64 [%d1], %d2;
            """;

    @Test
    void shared_memory_without_a_barrier_is_a_race() {
        // within a warp, and from warp to warp
        assertEquals(report("reads shared memory at 4, which thread 1 touched with no barrier between", 8, "ld.shared.u32 %r5, [%r4];", "thread 0"),
                fault(2, NEIGHBOUR.replace("BARRIER", "").replace("MASK", "4")).getMessage());
        // a barrier of the warp does not order two warps
        String upper = NEIGHBOUR.replace("BARRIER", "bar.warp.sync -1;\nsetp.lt.u32 %p1, %r0, 32;\n@%p1 bra END;").replace("MASK", "128") + "END:";
        assertEquals(report("reads shared memory at 0, which thread 0 touched with no barrier between", 10, "ld.shared.u32 %r5, [%r4];", "thread 32"),
                fault(64, upper).getMessage());
    }

    @Test
    void with_a_barrier_there_is_no_race() {
        long[] expected = new long[64];
        for (int i = 0; i < 64; i++) {
            expected[i] = i ^ 32;
        }
        assertArrayEquals(expected, Kernels.run(NEIGHBOUR.replace("BARRIER", "bar.sync 0;").replace("MASK", "128"), new long[64]));
        assertArrayEquals(new long[] {1, 0, 3, 2}, Kernels.run(NEIGHBOUR.replace("BARRIER", "bar.warp.sync -1;").replace("MASK", "4"), new long[4]));
    }

    @Test
    void a_write_after_other_threads_read_is_a_race() {
        PtxFault fault = fault(64, """
                setp.eq.u32 %p1, %r0, 0;
                @%p1 st.shared.u32 [room], %r0;
                bar.sync 0;
                ld.shared.u32 %r1, [room];
                setp.eq.u32 %p2, %r0, 63;
                @%p2 st.shared.u32 [room], %r0;
                """);
        assertTrue(fault.getMessage().startsWith("test: writes shared memory at 0, which other threads have read with no barrier between"),
                fault.getMessage());
    }

    @Test
    void barriers_that_not_all_reach_are_found() {
        assertEquals("""
                test: threads of a block wait at different barriers: 32 threads at line 18; 32 threads at line 20
                  line 18: bar.sync 0;
                  block (0, 0, 0)""", fault(64, """
                setp.lt.u32 %p1, %r0, 32;
                @%p1 bra LOW;
                bar.sync 0;
                bra END;
                LOW: bar.sync 0;
                END:
                """).getMessage().replace("LOW: ", ""));
        assertEquals("""
                test: threads of a warp never arrive together: threads 16 to 31 wait at line 18; threads 0 to 15 wait at line 20
                  line 18: bar.sync 0;
                  block (0, 0, 0), warp 0""", fault(32, """
                setp.lt.u32 %p1, %r0, 16;
                @%p1 bra LOW;
                bar.sync 0;
                bra END;
                LOW: bar.sync 0;
                END:
                """).getMessage());
    }

    @Test
    void lanes_that_a_shuffle_names_must_come() {
        assertTrue(fault(32, """
                setp.lt.u32 %p1, %r0, 16;
                @%p1 bra LOW;
                bra END;
                LOW: shfl.sync.bfly.b32 %r1, %r0, 1, 31, -1;
                END: bar.warp.sync -1;
                """).getMessage().startsWith("test: threads of a warp never arrive together: "));
        assertEquals(report("a lane takes part that is not among the members 0x1", 1, "bar.warp.sync 1;", "thread 1"),
                fault(2, "bar.warp.sync 1;").getMessage());
    }

    @Test
    void division_by_zero_is_no_number() {
        assertEquals(report("divides by zero in lane 0", 1, "div.u32 %r1, %r0, %r0;", "warp 0"), fault(2, "div.u32 %r1, %r0, %r0;").getMessage());
    }
}
