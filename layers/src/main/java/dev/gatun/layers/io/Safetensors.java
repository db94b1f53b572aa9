package dev.gatun.layers.io;

import dev.gatun.engine.DType;
import dev.gatun.engine.Device;
import dev.gatun.engine.Shape;
import dev.gatun.engine.Spec;
import dev.gatun.engine.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/**
 * Named tensors in a file: 8 bytes with the length of a header, the header in JSON, then the numbers
 * of all tensors, little-endian and row by row. The format is that of huggingface/safetensors.
 *
 * <p>A file is mapped, not read: its tensors lie over the mapping and end with it, so copy what has
 * to outlive {@link #close}. Before anything is mapped, the header is checked against the file: every
 * tensor has a known dtype, a shape of as many bytes as it claims, and the claims cover the data from
 * its first byte to its last without overlap or hole, as the format demands.
 *
 * {@snippet :
 * try (Safetensors file = Safetensors.open(path)) {
 *     Tensor weight = file.tensor("head.weight");
 * }
 * }
 */
public final class Safetensors implements AutoCloseable {

    private static final int LENGTH_BYTES = 8;
    private static final long MAX_HEADER_BYTES = 100_000_000;
    private static final int DATA_ALIGNMENT = 64;
    private static final int WRITE_BYTES = 1 << 26;
    private static final String METADATA = "__metadata__";

    /** What the header says of one tensor: its bytes lie at {@code from}, counted from the start of the data. */
    private record Entry(String name, Spec spec, long from, long to) {}

    private final Path path;
    private final Arena arena;
    private final MemorySegment data;
    private final Map<String, Entry> entries;
    private final SequencedMap<String, Spec> specs;
    private final SequencedMap<String, String> metadata;

    private Safetensors(Path path, Arena arena, MemorySegment data, Header header) {
        this.path = path;
        this.arena = arena;
        this.data = data;
        this.metadata = header.metadata;
        this.entries = header.entries;
        this.specs = new LinkedHashMap<>();
        header.entries.forEach((name, entry) -> specs.put(name, entry.spec));
    }

    /**
     * Opens a file for reading.
     *
     * @throws FormatException when the file is not what it says; nothing was mapped
     */
    public static Safetensors open(Path path) throws IOException {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            Header header;
            try {
                header = new Header(channel);
            } catch (FormatException e) {
                throw new FormatException("safetensors: " + e.getMessage() + "\n  file: " + path);
            }
            Arena arena = Arena.ofShared();
            try {
                MemorySegment file = channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena);
                return new Safetensors(path, arena, file.asSlice(header.dataStart, header.dataBytes), header);
            } catch (IOException | RuntimeException e) {
                arena.close();
                throw e;
            }
        }
    }

    /** The file. */
    public Path path() {
        return path;
    }

    /** All tensors without their numbers, in the order of the header. */
    public SequencedMap<String, Spec> specs() {
        return Collections.unmodifiableSequencedMap(specs);
    }

    /** What else the writer had to say. */
    public SequencedMap<String, String> metadata() {
        return Collections.unmodifiableSequencedMap(metadata);
    }

    /** A tensor over the mapped file, valid until {@link #close}; it cannot be overwritten. */
    public Tensor tensor(String name) {
        Entry entry = entries.get(name);
        if (entry == null) {
            throw new IllegalArgumentException("safetensors: no tensor \"" + name + "\"\n  file: " + path);
        }
        return Tensor.over(entry.spec, data.asSlice(entry.from, entry.to - entry.from));
    }

    /** All tensors over the mapped file, in the order of the header. */
    public SequencedMap<String, Tensor> tensors() {
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        entries.keySet().forEach(name -> tensors.put(name, tensor(name)));
        return tensors;
    }

    /** Ends the mapping and the tensors over it. */
    @Override
    public void close() {
        arena.close();
    }

    // ---- writing ----

    /** Writes tensors in the order of the map, as {@link #write(Path, Map, Map)} without metadata. */
    public static void write(Path path, Map<String, Tensor> tensors) throws IOException {
        write(path, tensors, Map.of());
    }

    /**
     * Writes tensors in the order of the map, and metadata. The data starts at a multiple of 64. The
     * file is replaced as a whole or not at all, see {@link AtomicFile}.
     */
    public static void write(Path path, Map<String, Tensor> tensors, Map<String, String> metadata) throws IOException {
        byte[] header = header(tensors, metadata).getBytes(StandardCharsets.UTF_8);
        int padded = Math.ceilDiv(LENGTH_BYTES + header.length, DATA_ALIGNMENT) * DATA_ALIGNMENT;
        if (padded > MAX_HEADER_BYTES) {
            throw new IllegalArgumentException("safetensors: a header of " + header.length + " bytes, at most " + MAX_HEADER_BYTES + " can be read");
        }
        ByteBuffer start = ByteBuffer.allocate(padded).order(ByteOrder.LITTLE_ENDIAN).putLong(padded - LENGTH_BYTES).put(header);
        while (start.hasRemaining()) {
            start.put((byte) ' ');
        }
        AtomicFile.write(path, channel -> {
            writeFully(channel, start.flip());
            for (Tensor tensor : tensors.values()) {
                MemorySegment s = tensor.to(Device.cpu()).segment();
                for (long from = 0; from < s.byteSize(); from += WRITE_BYTES) {
                    writeFully(channel, s.asSlice(from, Math.min(WRITE_BYTES, s.byteSize() - from)).asByteBuffer());
                }
            }
        });
    }

    private static String header(Map<String, Tensor> tensors, Map<String, String> metadata) {
        List<String> members = new ArrayList<>();
        if (!metadata.isEmpty()) {
            List<String> pairs = new ArrayList<>();
            metadata.forEach((name, value) -> pairs.add(Json.quote(name) + ":" + Json.quote(value)));
            members.add(Json.quote(METADATA) + ":{" + String.join(",", pairs) + "}");
        }
        long at = 0;
        for (Map.Entry<String, Tensor> named : tensors.entrySet()) {
            if (named.getKey().equals(METADATA)) {
                throw new IllegalArgumentException("safetensors: no tensor can be called " + METADATA);
            }
            Spec spec = named.getValue().spec();
            long end = at + spec.bytes();
            members.add(Json.quote(named.getKey()) + ":{\"dtype\":\"" + spec.dtype().name() + "\",\"shape\":"
                    + spec.shape().toString().replace(" ", "") + ",\"data_offsets\":[" + at + "," + end + "]}");
            at = end;
        }
        return "{" + String.join(",", members) + "}";
    }

    private static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    // ---- the header, checked ----

    private static final class Header {
        final SequencedMap<String, String> metadata = new LinkedHashMap<>();
        final SequencedMap<String, Entry> entries = new LinkedHashMap<>();
        final long dataStart;
        final long dataBytes;

        Header(FileChannel channel) throws IOException {
            long fileBytes = channel.size();
            if (fileBytes < LENGTH_BYTES) {
                throw new FormatException("the file has " + fileBytes + " bytes, the length of its header alone takes " + LENGTH_BYTES);
            }
            long headerBytes = read(channel, 0, LENGTH_BYTES).getLong();
            if (headerBytes < 0 || headerBytes > MAX_HEADER_BYTES) {
                throw new FormatException("a header of " + Long.toUnsignedString(headerBytes) + " bytes, at most " + MAX_HEADER_BYTES + " are taken");
            }
            if (headerBytes > fileBytes - LENGTH_BYTES) {
                throw new FormatException("a header of " + headerBytes + " bytes in a file of " + fileBytes);
            }
            dataStart = LENGTH_BYTES + headerBytes;
            dataBytes = fileBytes - dataStart;
            String text;
            try {
                text = StandardCharsets.UTF_8.newDecoder().decode(read(channel, LENGTH_BYTES, (int) headerBytes)).toString();
            } catch (CharacterCodingException e) {
                throw new FormatException("the header is not UTF-8");
            }
            for (Map.Entry<String, ?> member : object("the header", Json.parse(text)).entrySet()) {
                if (member.getKey().equals(METADATA)) {
                    readMetadata(member.getValue());
                } else {
                    entries.put(member.getKey(), entry(member.getKey(), member.getValue()));
                }
            }
            checkCover();
        }

        private static ByteBuffer read(FileChannel channel, long from, int count) throws IOException {
            ByteBuffer bytes = ByteBuffer.allocate(count).order(ByteOrder.LITTLE_ENDIAN);
            while (bytes.hasRemaining()) {
                if (channel.read(bytes, from + bytes.position()) < 0) {
                    throw new FormatException("the file ends at byte " + (from + bytes.position()) + " while it is read");
                }
            }
            return bytes.flip();
        }

        private void readMetadata(Object value) throws FormatException {
            for (Map.Entry<String, ?> pair : object(METADATA, value).entrySet()) {
                if (!(pair.getValue() instanceof String text)) {
                    throw new FormatException(METADATA + ": the value of \"" + pair.getKey() + "\" is no string");
                }
                metadata.put(pair.getKey(), text);
            }
        }

        private Entry entry(String name, Object value) throws FormatException {
            String of = "tensor \"" + name + "\"";
            Map<String, ?> members = object(of, value);
            DType dtype = dtype(of, members.get("dtype"));
            long[] dims = wholes(of + ": shape", members.get("shape"));
            long bytes = dtype.bytes();
            for (long dim : dims) {
                try {
                    bytes = Math.multiplyExact(bytes, dim);
                } catch (ArithmeticException e) {
                    throw new FormatException(of + ": a shape of more bytes than a long can count: " + members.get("shape"));
                }
            }
            long[] offsets = wholes(of + ": data_offsets", members.get("data_offsets"));
            if (offsets.length != 2 || offsets[0] > offsets[1]) {
                throw new FormatException(of + ": data_offsets are a begin and an end, not " + members.get("data_offsets"));
            }
            if (offsets[1] > dataBytes) {
                throw new FormatException(of + ": its data ends at byte " + offsets[1] + ", the file has " + dataBytes + " bytes of data");
            }
            Spec spec = new Spec(dtype, Shape.of(dims));
            if (offsets[1] - offsets[0] != bytes) {
                throw new FormatException(of + ": " + spec + " takes " + bytes + " bytes, its data_offsets span " + (offsets[1] - offsets[0]));
            }
            return new Entry(name, spec, offsets[0], offsets[1]);
        }

        private void checkCover() throws FormatException {
            List<Entry> inOrder = new ArrayList<>(entries.values());
            inOrder.sort(Comparator.comparingLong(Entry::from).thenComparingLong(Entry::to));
            long covered = 0;
            String before = "the start";
            for (Entry entry : inOrder) {
                String name = "tensor \"" + entry.name + "\"";
                if (entry.from < covered) {
                    throw new FormatException(before + " and " + name + " overlap: one ends at byte " + covered
                            + ", the other begins at " + entry.from);
                }
                if (entry.from > covered) {
                    throw new FormatException("bytes " + covered + " to " + entry.from + " of the data, before " + name + ", belong to no tensor");
                }
                covered = entry.to;
                before = name;
            }
            if (covered < dataBytes) {
                throw new FormatException("bytes " + covered + " to " + dataBytes + " at the end of the data belong to no tensor");
            }
        }

        private static DType dtype(String of, Object value) throws FormatException {
            for (DType dtype : DType.values()) {
                if (dtype.name().equals(value)) {
                    return dtype;
                }
            }
            throw new FormatException(of + ": the dtype " + show(value) + " is none of " + List.of(DType.values()).stream().map(DType::name).toList());
        }

        private static long[] wholes(String of, Object value) throws FormatException {
            if (!(value instanceof List<?> list)) {
                throw new FormatException(of + ": a list of whole numbers is expected, not " + show(value));
            }
            long[] wholes = new long[list.size()];
            for (int i = 0; i < wholes.length; i++) {
                if (!(list.get(i) instanceof Long whole) || whole < 0) {
                    throw new FormatException(of + ": " + show(list.get(i)) + " is no size or place");
                }
                wholes[i] = whole;
            }
            return wholes;
        }

        @SuppressWarnings("unchecked") // Json names the members of an object by strings
        private static Map<String, ?> object(String of, Object value) throws FormatException {
            if (!(value instanceof Map<?, ?>)) {
                throw new FormatException(of + ": an object is expected, not " + show(value));
            }
            return (Map<String, ?>) value;
        }

        private static String show(Object value) {
            return value instanceof String s ? Json.quote(s) : value == null ? "nothing" : value instanceof Map ? "an object" : value.toString();
        }
    }
}
