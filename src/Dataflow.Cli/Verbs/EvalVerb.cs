using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>dataflow eval: how well a model predicts text, and which choices of questions it finds most likely.</summary>
internal static class EvalVerb
{
    /// <summary>What --help shows.</summary>
    public static readonly string[] Examples =
    [
        "dataflow eval models/qwen3-0.6b --seqlen 2048 --data held-out.txt --stride 512",
        "dataflow eval models/qwen3-0.6b --seqlen 1024 --choices questions.jsonl",
    ];

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var command = new Command(
            "eval",
            "Measures a model's loss on texts, records, conversations or tokens: perplexity and bits a byte, each token scored once, by "
                + "windows of --seqlen tokens. Or answers multiple-choice questions by likelihood. Parameters travel within the budgets "
                + "as in "
                + "training."
        );
        var (plan, device, corpus) = (new PlanFlags(), new DeviceFlags(), new CorpusFlags());
        var data = Declare.Several("--data", "SOURCE", "what is scored: as for train; may be given again", Values.FilePath);
        var tokens = Declare.Option<string?>("--tokens", "FILE", "raw token ids to score, as one document", Values.FilePath);
        var stride = Declare.Option<int?>(
            "--stride", "N", "tokens from one window to the next; the rest of a window is context [default: "
                + "--seqlen]", Values.OptionalCount(1, int.MaxValue));
        var choices = Declare.Option<string?>(
            "--choices", "FILE", "questions as JSON lines: {\"prompt\", \"choices\", \"answer\"}, the answer by number from 0 or as its "
                + "text",
            Values.FilePath);
        var byDocument = Declare.Flag("--by-document", "print a line of JSON for each document");
        var json = Declare.Flag("--json", "print the result as JSON; with --choices, a line for each question first");
        plan.AddTo(command, ofSteps: false);
        device.AddTo(command);
        foreach (var option in corpus.Reading.Concat([data, tokens, corpus.Id, stride, choices, byDocument, json]))
        {
            command.Options.Add(option);
        }

        command.SetAction(parsed =>
        {
            var options = new EvaluationOptions
            {
                Plan = plan.Bind(parsed) with { Device = device.Bind(parsed) },
                Data = parsed.GetValue(data) ?? [],
                Tokens = parsed.GetValue(tokens),
                Corpus = corpus.Bind(parsed),
                Stride = parsed.GetValue(stride),
            };
            if (parsed.GetValue(choices) is not { } questions)
            {
                return (int)Measure(options, parsed.GetValue(byDocument), parsed.GetValue(json));
            }

            return options.Data.Count == 0 && options.Tokens is null ? (int)Answer(options, questions, parsed.GetValue(json))
                : throw new UserErrorException("--choices brings its own texts; leave --data and --tokens out, or --choices");
        });
        return command;
    }

    private static ExitCode Measure(EvaluationOptions options, bool byDocument, bool json)
    {
        var result = Evaluation.Of(options, Messages.Tell, byDocument ? Document : null);
        if (json)
        {
            Console.Out.WriteLine(new JsonObject
            {
                ["loss"] = result.Mean,
                ["perplexity"] = result.Perplexity,
                ["bits_per_byte"] = result.BitsPerByte,
                ["scored"] = result.Scored,
                ["documents"] = result.Documents,
                ["bytes"] = result.Bytes,
            }.ToJsonString());
            return ExitCode.Ok;
        }

        Console.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"Loss {result.Mean:0.00000} nats a token, perplexity {result.Perplexity:0.000}"
                + $"{(result.BitsPerByte is { } bits ? $", {bits:0.0000} bits a byte" : "")}: {result.Scored:N0} tokens scored in "
                + $"{result.Documents:N0} document{(result.Documents == 1 ? "" : "s")}"));
        return ExitCode.Ok;
    }

    private static void Document(DocumentLoss document) => Console.Out.WriteLine(new JsonObject
    {
        ["document"] = document.Document,
        ["loss"] = document.Scored == 0 ? null : document.Mean,
        ["sum"] = document.Loss,
        ["scored"] = document.Scored,
        ["tokens"] = document.Tokens,
    }.ToJsonString());

    private static ExitCode Answer(EvaluationOptions options, string path, bool json)
    {
        var results = Evaluation.Choices(options, ChoiceQuestion.Read(path), Messages.Tell);
        int right = results.Count(r => r.Picked == r.Answer), rightByByte = results.Count(r => r.PickedByByte == r.Answer);
        foreach (var result in json ? results : [])
        {
            Console.Out.WriteLine(new JsonObject
            {
                ["question"] = result.Question,
                ["answer"] = result.Answer,
                ["picked"] = result.Picked,
                ["picked_by_byte"] = result.PickedByByte,
                ["log_likelihoods"] = new JsonArray([.. result.LogLikelihoods.Select(l => (JsonNode)l)]),
            }.ToJsonString());
        }

        if (json)
        {
            Console.Out.WriteLine(new JsonObject
            {
                ["questions"] = results.Count, ["right"] = right, ["right_by_byte"] = rightByByte,
            }.ToJsonString());
        }
        else
        {
            Console.Out.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"Right: {right} of {results.Count} by likelihood, {rightByByte} of {results.Count} by likelihood a byte"));
        }

        return ExitCode.Ok;
    }
}
