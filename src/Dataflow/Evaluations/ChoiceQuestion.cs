using System.Text.Json;
using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>A prompt and texts that may follow it, one of which is right.</summary>
/// <param name="Prompt">What stands before the choices.</param>
/// <param name="Choices">The texts; a space stands before one that does not begin with white space.</param>
/// <param name="Answer">The right one, from 0.</param>
public sealed record ChoiceQuestion(string Prompt, IReadOnlyList<string> Choices, int Answer)
{
    private const string Expected = "{\"prompt\": \"...\", \"choices\": [\"...\", \"...\"], \"answer\": 0} was expected";
    private static readonly Bytes s_most = new(1L << 30);

    /// <summary>Those of a file, one JSON object a line.</summary>
    /// <exception cref="UserErrorException">A line is none.</exception>
    public static IReadOnlyList<ChoiceQuestion> Read(string path)
    {
        var all = new List<ChoiceQuestion>();
        int number = 0;
        foreach (string line in InputFile.ReadText(path, s_most).Split('\n'))
        {
            number++;
            if (line.Trim().Length > 0)
            {
                all.Add(Parse(line, $"{path}, line {number}"));
            }
        }

        return all.Count > 0 ? all : throw new UserErrorException($"{path} has no question; {Expected} in each line");
    }

    private static ChoiceQuestion Parse(string line, string place)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            var root = json.RootElement;
            string prompt = root.GetProperty("prompt").GetString() ?? throw new FormatException("prompt is null");
            string[] choices = [.. root.GetProperty("choices").EnumerateArray().Select(c => c.GetString() ?? throw new FormatException())];
            var answer = root.GetProperty("answer");
            int right = answer.ValueKind == JsonValueKind.String ? Array.IndexOf(choices, answer.GetString()) : answer.GetInt32();
            return choices.Length > 1 && right >= 0 && right < choices.Length
                ? new ChoiceQuestion(prompt, choices, right)
                : throw new UserErrorException($"{place}: the answer is none of {choices.Length} choices; {Expected}");
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new UserErrorException($"{place} is no question; {Expected}");
        }
    }
}
