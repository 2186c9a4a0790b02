using Dataflow.Model;
using Dataflow.Training;

namespace Dataflow;

/// <summary>
/// Whether ids mean to a model what they meant to whoever wrote them: what is likely not so is noted.
/// </summary>
public static class DataNotes
{
    // So many tokens for each id of a vocabulary use more than half of it, or are of another.
    private const int TokensPerId = 10;

    // Below it, a vocabulary may be made of bytes or characters, which texts use a part of.
    private const int SmallVocabulary = 1024;

    /// <summary>What to know about data, a sentence each.</summary>
    public static IEnumerable<string> Of(ITokenSource tokens, string path, ModelSource source)
    {
        int vocabulary = source.Model.VocabSize;
        if (tokens is ByteText && vocabulary != ByteText.VocabSize)
        {
            yield return $"the bytes of {path} are its ids, {ByteText.VocabSize} of the {vocabulary:N0} that the model has; name a "
                + $"tokenizer's folder with --tokenizer to use more";
        }

        if (tokens is TokenFile file)
        {
            if (vocabulary >= SmallVocabulary && file.TokenCount >= (long)TokensPerId * vocabulary && file.LargestId < vocabulary / 2)
            {
                yield return $"the largest id of {path} is {file.LargestId:N0} and the model has {vocabulary:N0}: the ids may be another "
                    + $"tokenizer's";
            }

            if (VocabularyBeside(file.Path, source) is { } other && other != vocabulary)
            {
                yield return $"{path} lies beside the config of a model with {other:N0} ids and this one has {vocabulary:N0}: the ids may "
                    + $"be another tokenizer's";
            }
        }

        if (tokens.LeftOver > 0)
        {
            string unit = tokens is ByteText ? "bytes" : "tokens";
            yield return $"the last {tokens.LeftOver:N0} {unit} of {path} do not fill a row of {tokens.RowLength:N0} and are not used";
        }
    }

    /// <summary>Of the model that a token file's folder holds, if it is another than the one in use.</summary>
    private static int? VocabularyBeside(string path, ModelSource source)
    {
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (
            !File.Exists(Path.Combine(folder, ModelFiles.ConfigName))
            || (source.Folder is not null && Path.GetFullPath(source.Folder).TrimEnd('/') == folder)
        )
        {
            return null;
        }

        try
        {
            return ModelFiles.LoadConfig(folder).VocabSize;
        }
        catch (UserErrorException)
        {
            return null; // no model of ours: nothing is known of its ids
        }
    }
}
