package dev.gatun.bindings.cuda;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A kernel as PTX text declares it: its name and its parameters, in order. */
public record PtxEntry(String name, List<Parameter> parameters) {

    private static final Pattern ENTRY = Pattern.compile("\\.entry\\s+([\\w$]+)\\s*(?:\\(([^)]*)\\))?");
    private static final Pattern PARAMETER = Pattern.compile(
            "\\.param\\s+(?:\\.align\\s+(\\d+)\\s+)?\\.(\\w+)\\s+(?:\\.ptr(?:\\s+\\.\\w+)?(?:\\s+\\.align\\s+\\d+)?\\s+)?([\\w$]+)(?:\\[(\\d+)\\])?");

    /**
     * A parameter.
     *
     * @param type {@code u32}, {@code f32}, {@code b8} and so on
     * @param bytes its size; more than one element's where it is an array
     * @param offset where it lies in the block of all parameters
     */
    public record Parameter(String type, int bytes, int offset) {}

    /** All entries of a text by their names. */
    static Map<String, PtxEntry> of(String ptx) {
        Map<String, PtxEntry> entries = new LinkedHashMap<>();
        Matcher entry = ENTRY.matcher(ptx);
        while (entry.find()) {
            List<Parameter> parameters = new ArrayList<>();
            int offset = 0;
            Matcher parameter = PARAMETER.matcher(entry.group(2) == null ? "" : entry.group(2));
            while (parameter.find()) {
                int size = Integer.parseInt(parameter.group(2).substring(1)) / 8;
                int align = parameter.group(1) == null ? size : Integer.parseInt(parameter.group(1));
                int bytes = parameter.group(4) == null ? size : size * Integer.parseInt(parameter.group(4));
                offset = (offset + align - 1) / align * align;
                parameters.add(new Parameter(parameter.group(2), bytes, offset));
                offset += bytes;
            }
            entries.put(entry.group(1), new PtxEntry(entry.group(1), List.copyOf(parameters)));
        }
        return entries;
    }

    /** The entries that a text declares, in their order. */
    public static List<PtxEntry> all(String ptx) {
        return List.copyOf(of(ptx).values());
    }
}
