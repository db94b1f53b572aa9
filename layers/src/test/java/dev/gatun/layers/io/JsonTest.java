package dev.gatun.layers.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JsonTest {

    @Test
    void values_of_every_kind_are_read() throws FormatException {
        assertEquals(Map.of("a", Arrays.asList(1L, -2.5, 1e3, true, false, null, "x\n\u00e4\"\\/"), "b", Map.of(), "c", List.of()),
                Json.parse(" {\"a\": [1, -2.5, 1e+3, true,false , null, \"x\\n\\u00e4\\\"\\\\\\/\"],\"b\":{ },\t\"c\":[] } \r\n"));
    }

    @Property
    void a_quoted_string_is_read_back(@ForAll String s) throws FormatException {
        assertEquals(s, Json.parse(Json.quote(s)));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
            "``|json: a value is expected, the text ends, at character 0",
            "{} {}|json: nothing may follow, but '{' does, at character 3",
            "{1:2}|json: a name in quotes is expected, not '1', at character 1",
            "{\"a\" 1}|json: ':' is expected after the name \"a\", not '1', at character 5",
            "{\"a\":1,}|json: a name in quotes is expected, not '}', at character 7",
            "[1,]|json: a value is expected, not ']', at character 3",
            "[1 2]|json: ',' or ']' is expected, not '2', at character 3",
            "\"a|json: a string does not end, at character 2",
            "\"\\x\"|json: a string holds '\\' and then 'x', at character 2",
            "\"\\u12g4\"|json: \\u needs four hexadecimal digits, at character 5",
            "01|json: a number starts with 0, at character 2",
            "-|json: a digit is expected, not the end, at character 1",
            "1.|json: a digit is expected, not the end, at character 2",
            "nul|json: a value is expected, not 'n', at character 0",
            "NaN|json: a value is expected, not 'N', at character 0"})
    void what_is_not_json_is_refused_where_it_goes_wrong(String text, String message) {
        assertEquals(message, assertThrows(FormatException.class, () -> Json.parse(text)).getMessage());
    }
}
