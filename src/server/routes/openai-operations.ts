/** What the OpenAPI document says of the OpenAI endpoints. */
import { openAiError, openAiModel, openAiModels } from '../../wire/openai.ts'
import { chatChunk, chatCompletion, chatFrame, chatRequestSchema } from '../../wire/openai-chat.ts'
import { responseSchemas } from '../../wire/openai-responses.ts'
import { answerOf, bodyOf, type Endpoint, type Operations, streamOf } from '../operations.ts'

const REFUSALS = {
  400: answerOf('The body is not valid.', 'OpenAiError'),
  404: answerOf('There is no such model.', 'OpenAiError'),
  413: answerOf('The body is larger than the server accepts.', 'OpenAiError'),
  415: answerOf('The body is compressed, or its charset is not UTF-8.', 'OpenAiError'),
  503: answerOf('The server is stopping, or at one of its limits.', 'OpenAiError'),
}

const LIST: Endpoint = {
  path: '/v1/models',
  method: 'get',
  id: 'openai_list_models',
  operation: {
    summary: 'The agencies and their agents as models',
    responses: { 200: answerOf('All models.', 'OpenAiModels') },
  },
}
const MODEL: Endpoint = {
  path: '/v1/models/{model}',
  method: 'get',
  id: 'openai_retrieve_model',
  operation: {
    summary: 'One model',
    parameters: [{ name: 'model', in: 'path', required: true, schema: { type: 'string' } }],
    responses: {
      200: answerOf('The model.', 'OpenAiModel'),
      404: answerOf('There is no such model.', 'OpenAiError'),
    },
  },
}
const CHAT: Endpoint = {
  path: '/v1/chat/completions',
  method: 'post',
  id: 'openai_chat_completions',
  operation: {
    summary: 'Run an agency as a chat completion',
    requestBody: bodyOf('ChatCompletionRequest'),
    responses: {
      200: {
        description: 'The answer; with `stream` as server-sent events that end with `data: [DONE]`.',
        content: {
          ...answerOf('', 'ChatCompletion').content,
          ...streamOf('', 'ChatFrame').content,
        },
      },
      ...REFUSALS,
      500: answerOf('The run failed. With `x-should-retry: false` it had begun.', 'OpenAiError'),
    },
  },
}

const ID = { name: 'response_id', in: 'path', required: true, schema: { type: 'string' } }
const UNKNOWN = answerOf('There is no such response, or it is of another owner.', 'OpenAiError')
const RESPONSE = answerOf('The response.', 'OpenAiResponse')
const EITHER = {
  description: 'The response; with `stream` as server-sent events.',
  content: { ...RESPONSE.content, ...streamOf('', 'ResponseFrame').content },
}
const INVALID = answerOf('The request is not valid.', 'OpenAiError')
const NOBODY = answerOf('The token is missing or wrong, or the request is of no owner.', 'OpenAiError')

const RESPONSES: readonly Endpoint[] = [
  {
    path: '/v1/responses',
    method: 'post',
    id: 'openai_create_response',
    operation: {
      summary: 'Run an agency as a response',
      requestBody: bodyOf('ResponseRequest'),
      responses: {
        200: EITHER,
        400: INVALID,
        401: NOBODY,
        404: answerOf('There is no such model.', 'OpenAiError'),
        413: answerOf('The body is larger than the server accepts.', 'OpenAiError'),
        415: answerOf('The body is compressed, or its charset is not UTF-8.', 'OpenAiError'),
        500: answerOf('The run could not start.', 'OpenAiError'),
        503: answerOf('The server is stopping, or at one of its limits.', 'OpenAiError'),
      },
    },
  },
  {
    path: '/v1/responses/{response_id}',
    method: 'get',
    id: 'openai_retrieve_response',
    operation: {
      summary: 'A response, or its stream',
      parameters: [
        ID,
        { name: 'stream', in: 'query', required: false, schema: { type: 'boolean' } },
        {
          name: 'starting_after',
          in: 'query',
          required: false,
          description: 'The sequence number of the last event that is known.',
          schema: { type: 'integer' },
        },
      ],
      responses: {
        200: EITHER,
        400: INVALID,
        401: NOBODY,
        404: UNKNOWN,
        410: answerOf('Its events are gone.', 'OpenAiError'),
      },
    },
  },
  {
    path: '/v1/responses/{response_id}',
    method: 'delete',
    id: 'openai_delete_response',
    operation: {
      summary: 'Forget a response',
      parameters: [ID],
      responses: { 200: answerOf('It is forgotten.', 'ResponseDeleted'), 400: INVALID, 401: NOBODY, 404: UNKNOWN },
    },
  },
  {
    path: '/v1/responses/{response_id}/cancel',
    method: 'post',
    id: 'openai_cancel_response',
    operation: {
      summary: 'Stop a background response',
      parameters: [ID],
      responses: { 200: RESPONSE, 400: INVALID, 401: NOBODY, 404: UNKNOWN },
    },
  },
]

export const operations: Operations = {
  schemas: [
    openAiModel,
    openAiModels,
    openAiError,
    chatRequestSchema,
    chatCompletion,
    chatFrame,
    chatChunk,
    ...responseSchemas,
  ],
  endpoints: [LIST, MODEL, CHAT, ...RESPONSES],
  refusal: 'OpenAiError',
}
