using Dataflow;
using Dataflow.Cli;
using Dataflow.Model;
using Dataflow.Training;

namespace TransformerDemo;

/// <summary>The text that `make text` fetches, for runs that name no data.</summary>
internal static class DemoText
{
    private static readonly Bytes LargestText = new(16 << 20);

    /// <summary>The settings, with the checkout's text where they name no data and the model brings none.</summary>
    /// <param name="settings">As given.</param>
    /// <param name="json">Whether a machine reads what is printed.</param>
    /// <exception cref="UserErrorException">There is no text at all.</exception>
    public static TrainingOptions Supply(TrainingOptions settings, bool json)
    {
        bool given = settings.Data.Count > 0 || settings.Tokens is not null;
        if (given || File.Exists(Path.Combine(settings.Plan.Model, "tokens.bin")))
        {
            return settings;
        }

        using var model = Notices.Open(settings.Plan.Model); // a model that cannot be used matters more than a missing text
        string text = Locations.Find("data", "kjv.txt") ?? Documents();
        if (!json)
        {
            Console.WriteLine($"No data was named: training on {text}");
        }

        return settings with { Data = [text] };
    }

    /// <summary>
    /// The project's own documents and sources as one text, in the order of their names, where the demo's text was not fetched.
    /// </summary>
    private static string Documents()
    {
        string root = Locations.Root is { } checkout && Directory.Exists(Path.Combine(checkout, "src"))
            ? checkout
            : throw new UserErrorException("there is nothing to train on; give a text with --data");
        var files = new[] { "*.md", "*.cs" }
            .SelectMany(pattern => Directory.EnumerateFiles(Path.Combine(root, "src"), pattern, SearchOption.AllDirectories))
            .Where(file => !Path.GetRelativePath(root, file).Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj"))
            .Order(StringComparer.Ordinal);
        string text = Path.Combine(root, "data", "documents.txt");
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(text)!);
            AtomicFile.WriteText(text, string.Concat(files.Select(f => InputFile.ReadText(f, LargestText))));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException(
                $"there is nothing to train on, and {text} could not be written; run `make text` to fetch a text, or give one with --data"
            );
        }

        Console.Error.WriteLine(
            "data/kjv.txt is not there (`make text` fetches it): the project's own documents and sources take its place"
        );
        return text;
    }
}
