using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Dataflow.Model;
using Dataflow.Text.Tokenizers;
using Dataflow.Training;

namespace Dataflow.Cli;

/// <summary>dataflow tokenizer: texts as ids and back, as lines of JSON, and byte-pair encoding learnt from texts.</summary>
internal static class TokenizerVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "echo '{\"text\": \"Hello world\"}' | dataflow tokenizer encode qwen3-folder",
        "dataflow tokenizer decode qwen3-folder --input ids.jsonl",
        "dataflow tokenizer train new-folder --text corpus.txt --vocab-size 32000 --end '<|endoftext|>'",
    ];

    private static readonly JsonSerializerOptions s_config = new()
    {
        WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    private static readonly Bytes s_mostText = new(int.MaxValue / 2);

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command(
            "tokenizer",
            "encode: each line {\"text\"} becomes {\"ids\", \"ids_special\", \"offsets\"}, the offsets in code points. "
                + "decode: each line {\"ids\"} becomes {\"decoded\", \"decoded_skip\"}, the second without special tokens. "
                + "Both by the folder's own tokenizer.json or tokenizer.model. "
                + "train: writes a tokenizer.json of byte-level BPE, learnt from texts, into the folder; the same texts give the same file."
        );
        var deed = Declare.Argument("what", "encode, decode or train", t => t is "encode" or "decode" or "train" ? t
            : throw new UserErrorException($"'{t}' is not one of encode, decode and train"));
        var folder = Declare.Argument("folder", "a model's folder; for train, a folder that is there", Values.FilePath);
        var input = Declare.Option<string?>(
            "--input", "FILE", "lines of JSON to encode or decode [default: standard input]", Values.FilePath);
        var texts = Declare.Option<string?>("--text", "FILE", "for train: the texts, in UTF-8", Values.FilePath);
        var size = Declare.Option<int?>("--vocab-size", "N", "for train: how many tokens there are to be", t => Whole(t));
        var frequency = Declare.Option<int?>(
            "--min-frequency", "N", "for train: how often a pair stands to merge [default: 0]", t => Whole(t));
        var length = Declare.Option<int?>(
            "--max-token-length", "N", "for train: tokens of merged tokens are shorter than N bytes", t => Whole(t));
        var pattern = Declare.Option<string?>("--pattern", "REGEX", "for train: what cuts texts into words [default: GPT-2's]", t => t);
        var end = Declare.Option<string?>(
            "--end", "TOKEN", "for train: the special token behind each text, the first of all; tokenizer_config.json will say it", t => t);
        var special = new Option<string[]>("--special")
        {
            HelpName = "TOKEN", Description = "for train: a special token; may be given again", Arity = ArgumentArity.OneOrMore,
        };
        foreach (var argument in new Argument[] { deed, folder })
        {
            command.Arguments.Add(argument);
        }

        foreach (var option in new Option[] { input, texts, size, frequency, length, pattern, end, special })
        {
            command.Options.Add(option);
        }

        command.SetAction(parsed =>
        {
            string where = parsed.GetRequiredValue(folder);
            if (parsed.GetRequiredValue(deed) != "train")
            {
                return (int)Convert(where, parsed.GetValue(input), parsed.GetRequiredValue(deed) == "encode");
            }

            return (int)Train(where, parsed.GetValue(texts), parsed.GetValue(pattern), new()
            {
                VocabularySize = parsed.GetValue(size) ?? throw new UserErrorException("train needs --vocab-size"),
                MinFrequency = parsed.GetValue(frequency) ?? 0,
                MaxTokenLength = parsed.GetValue(length),
                SpecialTokens = [.. new[] { parsed.GetValue(end) }.OfType<string>().Union(parsed.GetValue(special) ?? [])],
                AllBytes = true,
            }, parsed.GetValue(end));
        });
        return command;
    }

    private static int? Whole(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) ? value
        : throw new UserErrorException($"'{text}' is no whole number");

    private static ExitCode Convert(string folder, string? input, bool encodes)
    {
        var tokenizer = TokenizerFolder.Read(folder);
        using var stream = input is null ? Console.OpenStandardInput() : null;
        using var reader = stream is null ? null : new StreamReader(stream, new UTF8Encoding(false, true));
        var lines = reader is null ? InputFile.ReadLines(input!, s_mostText) : Lines(reader);
        int number = 0;
        foreach (string line in lines)
        {
            number++;
            if (line.Length == 0)
            {
                continue;
            }

            try
            {
                using var document = JsonDocument.Parse(line);
                Console.Out.WriteLine(encodes ? Encoded(document.RootElement, tokenizer) : Decoded(document.RootElement, tokenizer));
            }
            catch (JsonException e)
            {
                throw new UserErrorException($"line {number} is no JSON: {e.Message.TrimEnd('.')}");
            }
            catch (UserErrorException e)
            {
                throw new UserErrorException($"line {number}: {e.Message}");
            }
        }

        return ExitCode.Ok;
    }

    private static IEnumerable<string> Lines(StreamReader reader)
    {
        while (Line(reader) is { } line)
        {
            yield return line;
        }
    }

    private static string? Line(StreamReader reader)
    {
        try
        {
            return reader.ReadLine();
        }
        catch (DecoderFallbackException)
        {
            throw new UserErrorException("standard input is no UTF-8");
        }
    }

    private static string Encoded(JsonElement line, TextTokenizer tokenizer)
    {
        string text = Property(line, "text") is { ValueKind: JsonValueKind.String } value ? Text(value)
            : throw new UserErrorException("it has no text; {\"text\": \"...\"} was expected");
        var encoded = tokenizer.Encode(text, addSpecialTokens: false);
        return JsonSerializer.Serialize(new
        {
            ids = encoded.TokenIds,
            ids_special = tokenizer.EncodeIds(text, addSpecialTokens: true),
            offsets = encoded.Offsets.Select(o => new[] { o.Start, o.End }),
        });
    }

    private static string Decoded(JsonElement line, TextTokenizer tokenizer)
    {
        int[] ids = Property(line, "ids") is { ValueKind: JsonValueKind.Array } value ? [.. value.EnumerateArray().Select(Id)]
            : throw new UserErrorException("it has no ids; {\"ids\": [...]} was expected");
        return JsonSerializer.Serialize(new { decoded = tokenizer.Decode(ids, false), decoded_skip = tokenizer.Decode(ids, true) });
    }

    private static JsonElement? Property(JsonElement line, string key) =>
        line.ValueKind == JsonValueKind.Object && line.TryGetProperty(key, out var value) ? value : null;

    private static int Id(JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int id) && id >= 0 ? id
        : throw new UserErrorException($"{value.GetRawText()} is no id");

    private static string Text(JsonElement value)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw new UserErrorException("its text is no valid Unicode: it spells half of a surrogate pair");
        }
    }

    private static ExitCode Train(string folder, string? texts, string? pattern, BpeTrainingOptions options, string? end)
    {
        string path = Path.Combine(folder, "tokenizer.json");
        AtomicFile.Probe(path);
        string text = InputFile.ReadText(texts ?? throw new UserErrorException("train needs --text"), s_mostText);
        AtomicFile.WriteText(path, ByteLevelTraining.Train([text], options, pattern));
        if (end is not null)
        {
            string config = Path.Combine(folder, "tokenizer_config.json");
            AtomicFile.WriteText(config, JsonSerializer.Serialize(
                new { tokenizer_class = "PreTrainedTokenizerFast", eos_token = end }, s_config) + "\n");
        }

        Console.Out.WriteLine($"{path} has {TokenizerFolder.Read(path).IdCount} tokens");
        return ExitCode.Ok;
    }
}
