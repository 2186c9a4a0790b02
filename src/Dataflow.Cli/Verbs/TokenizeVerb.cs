using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Dataflow.Corpora;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>dataflow data tokenize: sources into a folder of shards of token ids.</summary>
internal static class TokenizeVerb
{
    private const double SecondsBetweenLines = 2;

    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow data tokenize corpus/*.txt.gz --tokenizer models/qwen3-0.6b --out tokens",
        "zstdcat dump.jsonl.zst | dataflow data tokenize - --format jsonl --tokenizer models/qwen3-0.6b --out tokens",
        "dataflow data tokenize 'chats/**/*.parquet' --tokenizer models/qwen3-0.6b --untrained drop --out chats-tokens",
    ];

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command(
            "tokenize",
            "Turns texts, JSON lines (text, prompt and completion, messages or conversations) and Parquet into a folder of shards of "
                + "token ids, "
                + "with one end token behind each document. Uses all processors and less than 500 MiB whatever the input; interrupted, the "
                + "same command goes on, to the same bytes."
        );
        var sources = new Argument<string[]>("sources")
        {
            Description = "files, patterns, folders, or - for standard input; .gz and .zst are read as they are",
            Arity = ArgumentArity.OneOrMore,
        };
        var corpus = new CorpusFlags();
        var into = Declare.Option<string?>("--out", "DIR", "where the shards go (required)", Values.FilePath);
        var overwrite = Declare.Flag("--overwrite", "begin anew where DIR holds other tokens");
        var json = Declare.Flag("--json", "print what was made as JSON");
        command.Arguments.Add(sources);
        foreach (var option in corpus.Reading.Concat([into, overwrite, json]))
        {
            command.Options.Add(option);
        }

        command.SetAction(parsed => (int)Execute(
            parsed.GetRequiredValue(sources),
            corpus.Bind(parsed),
            parsed.GetValue(into) ?? throw new UserErrorException("data tokenize needs --out, a folder for the shards"),
            parsed.GetValue(overwrite),
            parsed.GetValue(json)));
        return command;
    }

    private static ExitCode Execute(
        string[] patterns, CorpusOptions options, string folder, bool overwrite, bool json)
    {
        var sources = DocumentSources.Texts(patterns, options);
        var rules = DocumentSources.Rules(
            options.Tokenizer ?? throw new UserErrorException("data tokenize needs --tokenizer, a folder with a tokenizer.json or "
                + "tokenizer.model"),
            options);
        using var stop = new StopSignals();
        var clock = Stopwatch.StartNew();
        double told = 0;
        var made = DocumentSources.Tokenize(sources, rules, options, new TokenizedOutput(folder, overwrite), Progress, stop.Token);
        if (json)
        {
            Console.Out.WriteLine(Json(made, folder, sources.Finding, clock.Elapsed.TotalSeconds).ToJsonString());
        }
        else
        {
            Print(made, folder, sources.Finding, clock.Elapsed.TotalSeconds);
        }

        if (!made.Complete)
        {
            Messages.Tell($"interrupted; {made.Shards.Count} shards are in {folder}, and the same command goes on behind them");
            return stop.By is { } signal ? Interruption.CodeOf(signal) : ExitCode.Interrupted;
        }

        return made.Shards.Count > 0 ? ExitCode.Ok
            : throw new UserErrorException($"{string.Join(", ", patterns)}: no document has text, so that there are no tokens");

        void Progress(TokenizedCounts counts)
        {
            double now = clock.Elapsed.TotalSeconds;
            if (now - told >= SecondsBetweenLines && !json)
            {
                told = now;
                Messages.Tell(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{counts.Documents:N0} documents, {counts.Tokens:N0} tokens, {counts.Characters / now / 1e6:0.0} million "
                        + $"characters/s"));
            }
        }
    }

    private static void Print(CorpusManifest made, string folder, string? finding, double seconds)
    {
        var counts = made.Counts;
        if (finding is not null)
        {
            Console.Out.WriteLine($"Found {finding}");
        }

        Console.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{folder}: {counts.Tokens:N0} tokens in {counts.Documents:N0} documents, {made.Shards.Count:N0} shards, of "
                + $"{counts.Characters:N0} characters in {seconds:0.0} s"));
        if (counts.Trained < counts.Tokens)
        {
            Console.Out.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"Trained: {counts.Trained:N0} tokens ({(double)counts.Trained / counts.Tokens:0.0%})"));
        }

        if (counts.Empty + counts.Untrained > 0)
        {
            Console.Out.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"Left out: {counts.Empty:N0} documents without text, {counts.Untrained:N0} of which nothing would be trained"));
        }
    }

    private static JsonObject Json(CorpusManifest made, string folder, string? finding, double seconds) => new()
    {
        ["folder"] = folder,
        ["complete"] = made.Complete,
        ["finding"] = finding,
        ["kind"] = made.Kind,
        ["documents"] = made.Counts.Documents,
        ["tokens"] = made.Counts.Tokens,
        ["trained"] = made.Counts.Trained,
        ["characters"] = made.Counts.Characters,
        ["empty"] = made.Counts.Empty,
        ["untrained"] = made.Counts.Untrained,
        ["shards"] = made.Shards.Count,
        ["seconds"] = Math.Round(seconds, 3),
    };
}
