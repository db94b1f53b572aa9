package dev.gatun.verify.ptx;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;

/**
 * Global memory of an emulated device. Addresses are invented and never used again, with a gap behind every allocation:
 * whatever points elsewhere, or to memory that was handed back, is found out. Every byte remembers whether it was ever
 * written; fresh memory is all ones, which is NaN.
 */
public final class DeviceMemory {

    private static final long FIRST = 0x7_0000_0000L;
    private static final long GAP = 4096;
    private static final long ALIGNMENT = 256;

    static final VarHandle SHORT = MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);
    static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final int FOUR_WRITTEN = 0x01010101;
    private static final long EIGHT_WRITTEN = 0x0101010101010101L;

    private final long capacity;
    private final TreeMap<Long, Allocation> allocations = new TreeMap<>();
    private long next;
    private long used;

    /** A piece of memory; the bytes of a freed one are gone, its place is remembered. */
    static final class Allocation {
        final DeviceMemory of;
        final long base;
        final long size;
        byte[] data;
        byte[] written;

        Allocation(DeviceMemory of, long base, int size) {
            this.of = of;
            this.base = base;
            this.size = size;
            this.data = new byte[size];
            this.written = new byte[size];
            Arrays.fill(data, (byte) 0xFF);
        }

        boolean holds(long address, long bytes) {
            return address >= base && address - base + bytes <= size && data != null;
        }
    }

    /** Memory of so many bytes. */
    public DeviceMemory(long capacity) {
        this(capacity, 0);
    }

    /** Memory of one device of several, whose addresses no other one has. */
    DeviceMemory(long capacity, int ordinal) {
        this.capacity = capacity;
        this.next = FIRST * (ordinal + 1);
    }

    /** Bytes in all. */
    public long capacity() {
        return capacity;
    }

    /** Bytes that are in use. */
    public synchronized long used() {
        return used;
    }

    /** The address of new memory, a multiple of 256; 0 when there is not so much. */
    public synchronized long allocate(long bytes) {
        if (bytes <= 0 || bytes > capacity - used || bytes > Integer.MAX_VALUE - 8) {
            return 0;
        }
        Allocation made = new Allocation(this, next, (int) bytes);
        allocations.put(made.base, made);
        next = (made.base + bytes + GAP + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        used += bytes;
        return made.base;
    }

    /**
     * Takes memory back.
     *
     * @throws PtxFault when the address is not one that {@link #allocate} gave, or was handed back already
     */
    public synchronized void free(long address) {
        Allocation found = allocations.get(address);
        if (found == null || found.data == null) {
            throw new PtxFault(PtxFault.ADDRESS, "free: " + where(address, 1));
        }
        used -= found.size;
        found.data = null;
        found.written = null;
    }

    /** What holds these bytes, or null. */
    synchronized Allocation find(long address, long bytes) {
        Map.Entry<Long, Allocation> below = allocations.floorEntry(address);
        return below != null && below.getValue().holds(address, bytes) ? below.getValue() : null;
    }

    /** What is at an address, in words. */
    synchronized String where(long address, long bytes) {
        Map.Entry<Long, Allocation> below = allocations.floorEntry(address);
        String at = "0x" + Long.toHexString(address);
        if (below == null) {
            return at + " is not in device memory";
        }
        Allocation near = below.getValue();
        String piece = "the " + near.size + " bytes at 0x" + Long.toHexString(near.base);
        long off = address - near.base;
        if (off < near.size && near.data == null) {
            return at + " is in " + piece + ", which were freed";
        }
        return off + bytes <= near.size ? at + " is in " + piece
                : at + " and " + bytes + " bytes on is " + (off + bytes - near.size) + " bytes behind the end of " + piece;
    }

    private Allocation need(String what, long address, long bytes) {
        Allocation found = find(address, bytes);
        if (found == null) {
            throw new PtxFault(PtxFault.ADDRESS, what + ": " + where(address, bytes));
        }
        return found;
    }

    /** Copies from the host. */
    public void write(long to, MemorySegment from, long bytes) {
        if (bytes > 0) {
            Allocation at = need("copy to the device", to, bytes);
            int first = (int) (to - at.base);
            MemorySegment.copy(from, ValueLayout.JAVA_BYTE, 0, at.data, first, (int) bytes);
            Arrays.fill(at.written, first, first + (int) bytes, (byte) 1);
        }
    }

    /** Copies to the host, bytes that nobody wrote as well. */
    public void read(MemorySegment to, long from, long bytes) {
        if (bytes > 0) {
            Allocation at = need("copy to the host", from, bytes);
            MemorySegment.copy(at.data, (int) (from - at.base), to, ValueLayout.JAVA_BYTE, 0, (int) bytes);
        }
    }

    /** Copies within the device; bytes that nobody wrote stay so. */
    public void copy(long to, long from, long bytes) {
        if (bytes > 0) {
            Allocation target = need("copy within the device", to, bytes);
            Allocation source = need("copy within the device", from, bytes);
            System.arraycopy(source.data, (int) (from - source.base), target.data, (int) (to - target.base), (int) bytes);
            System.arraycopy(source.written, (int) (from - source.base), target.written, (int) (to - target.base), (int) bytes);
        }
    }

    /**
     * Fills memory with a pattern.
     *
     * @param width bytes of the pattern: 1 or 4
     */
    public void fill(long to, int pattern, int width, long count) {
        long bytes = width * count;
        if (bytes > 0) {
            Allocation at = need("fill", to, bytes);
            int first = (int) (to - at.base);
            for (int i = 0; i < bytes; i++) {
                at.data[first + i] = (byte) (pattern >>> 8 * (i % width));
            }
            Arrays.fill(at.written, first, first + (int) bytes, (byte) 1);
        }
    }

    // ---- elements of 1, 2, 4 and 8 bytes, at a place of an allocation that holds them ----

    static long load(byte[] data, int at, int bytes, boolean signed) {
        return switch (bytes) {
            case 1 -> signed ? data[at] : data[at] & 0xFF;
            case 2 -> signed ? (short) SHORT.get(data, at) : (short) SHORT.get(data, at) & 0xFFFF;
            case 4 -> signed ? (int) INT.get(data, at) : LaneOps.u((int) INT.get(data, at));
            default -> (long) LONG.get(data, at);
        };
    }

    static void store(byte[] data, int at, int bytes, long value) {
        switch (bytes) {
            case 1 -> data[at] = (byte) value;
            case 2 -> SHORT.set(data, at, (short) value);
            case 4 -> INT.set(data, at, (int) value);
            default -> LONG.set(data, at, value);
        }
    }

    static boolean written(byte[] written, int at, int bytes) {
        return switch (bytes) {
            case 1 -> written[at] != 0;
            case 2 -> (short) SHORT.get(written, at) == (short) FOUR_WRITTEN;
            case 4 -> (int) INT.get(written, at) == FOUR_WRITTEN;
            default -> (long) LONG.get(written, at) == EIGHT_WRITTEN;
        };
    }

    static void mark(byte[] written, int at, int bytes) {
        store(written, at, bytes, EIGHT_WRITTEN);
    }
}
